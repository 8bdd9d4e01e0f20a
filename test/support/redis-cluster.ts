/**
 * A Redis Cluster for tests and proofs: real servers on free ports of the loopback interface, in directories of their
 * own, gone when the test or its process is.
 *
 * ```ts
 * const redis = await startCluster()
 * const store = redisStore(redis.url)               // redis+cluster://127.0.0.1:…,127.0.0.1:…,…
 * const before = await redis.primaryOf('hf:{a}')    // each node can do what redis-server.ts says
 * await before.kill()
 * const after = await redis.waitForPrimaryOf('hf:{a}', before)
 * await before.start()
 * await redis.settled()                             // it is a replica now, and all nodes agree
 * await redis.failover(await redis.replicaOf(after))   // a planned one
 * await redis.moveSlot(await redis.slotOf('hf:{a}'), other)   // MOVED
 * const half = await redis.beginMove(slot, other)   // ASK for keys that are not there any more, TRYAGAIN for some of several
 * await half.move('hf:{a}')
 * await half.finish()
 * await redis.stop()
 * ```
 *
 * With `links` every line between the nodes, and from the application to each, can be broken: see network.ts. With
 * `config` they run from files that others write: `config: (at) => redisConf({ memory: '128mb', passwords, ...at })`.
 */
import { ask, until, withSetting } from './asking.ts'
import { isWell, serves, story, type View, viewsOf } from './cluster-view.ts'
import { type Links, neighbourhood } from './namespaces.ts'
import { announceOf, type Member, type Network, startAll, type Surroundings } from './network.ts'
import { type Credentials, freePort, portIsFree, type TlsFiles } from './redis-server.ts'
import { type ClusterNodeAt, clusterNodeLines, fileOf } from './server-config.ts'

export interface ClusterOptions {
  /** Default: 3. */
  readonly primaries?: number
  /** Of each primary. Default: 1. */
  readonly replicas?: number
  /** Milliseconds of silence after which a node has failed. Default: 1000. */
  readonly nodeTimeout?: number
  /** The password of the default user, also between the nodes. Default: none. */
  readonly password?: string
  /** More lines for the configuration, such as `appendonly yes` or `user shop on >secret ~hf:* +@all`. */
  readonly lines?: readonly string[]
  /** The whole configuration of a node, instead of all that. The port of the bus has to be its port and 10000. */
  readonly config?: (at: ClusterNodeAt) => string
  /** As whom `cli` signs in: somebody who may do everything. Default: with `password`. */
  readonly as?: Credentials
  /** With what `cli` speaks TLS, where the configuration has it. */
  readonly tls?: TlsFiles
  /** Whether lines can be broken: by gates (`true`), or by the kernel. Default: false. */
  readonly links?: Links
  /** The program. Default: `redis-server`. */
  readonly binary?: string
}

export interface ClusterNode extends Member {
  /** As the nodes call it among themselves. */
  readonly id: string
}

export interface Cluster extends AsyncDisposable {
  /** `redis+cluster://127.0.0.1:p1,127.0.0.1:p2,…`, without a password. */
  readonly url: string
  /** The primaries of the start, then their replicas. */
  readonly nodes: readonly ClusterNode[]
  readonly network: Network
  slotOf(key: string): Promise<number>
  /** Who serves a key or a slot: of those that say so, the one with the latest say. Rejects while nobody does. */
  primaryOf(at: string | number): Promise<ClusterNode>
  /** Asks for it until it is there, and other than the one given. Default: 20 s. */
  waitForPrimaryOf(at: string | number, otherThan?: ClusterNode, timeout?: number): Promise<ClusterNode>
  /** A replica that runs and follows this node. Rejects where there is none. */
  replicaOf(primary: ClusterNode): Promise<ClusterNode>
  /** This replica takes the place of its primary; settles when all nodes that run say so. `force`: the primary is not asked. */
  failover(replica: ClusterNode, how?: 'force' | 'takeover'): Promise<void>
  /** Moves a slot with its keys. Whoever asks the old node is told MOVED. */
  moveSlot(slot: number, to: ClusterNode): Promise<void>
  /** Begins to move a slot: keys that the old node does not have are answered with ASK. */
  beginMove(slot: number, to: ClusterNode): Promise<SlotMove>
  /** Settles when every node finds all others well and says the same of who serves what, and replicas have their data. Default: 30 s. */
  settled(timeout?: number): Promise<void>
  /** Ends all and removes their directories. Safe to call again. */
  stop(): Promise<void>
}

/** A slot that is being moved. */
export interface SlotMove {
  readonly from: ClusterNode
  readonly to: ClusterNode
  /** Moves some keys. Commands with several keys, of which some have moved, are answered with TRYAGAIN. */
  move(...keys: string[]): Promise<void>
  /** Moves the rest of the keys, then the slot. Settles when all nodes that run say so. */
  finish(): Promise<void>
}

const SLOTS = 16_384
/** Redis's own rule, where nothing else is configured. */
const BUS = 10_000
/** So many keys are moved in one go. */
const PORTION = 1_000

/** Starts all of them, and settles when the cluster serves, with replicas that have their data. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = new LocalCluster(options)
  try {
    await cluster.start()
  } catch (error) {
    await cluster.stop()
    throw error
  }
  return cluster
}

class LocalCluster implements Cluster {
  readonly nodes: ClusterNode[] = []
  readonly network: Surroundings
  readonly #options: ClusterOptions
  readonly #credentials: Credentials | undefined
  readonly #primaries: number
  readonly #replicas: number
  readonly #busOf = new Map<ClusterNode, number>()

  constructor(options: ClusterOptions) {
    const { as, password, primaries = 3, replicas = 1, links = false } = options
    this.#options = options
    this.#credentials = as ?? (password === undefined ? undefined : { password })
    this.#primaries = primaries
    this.#replicas = replicas
    this.network = neighbourhood(links)
  }

  get url(): string {
    return `redis+cluster://${this.nodes.map(({ host, announced }) => `${host}:${announced}`).join()}`
  }

  async start(): Promise<void> {
    await startAll(this.#primaries * (1 + this.#replicas), () => this.#startNode())
    const primaries = this.nodes.slice(0, this.#primaries)
    await Promise.all(primaries.map((node, index) => this.#giveSlots(node, index)))
    await Promise.all(this.nodes.map((node, index) => this.#introduce(node, this.nodes.slice(index + 1))))
    const replicas = this.nodes.slice(this.#primaries)
    await Promise.all(replicas.map((node, index) => follow(node, primaries[index % primaries.length]!)))
    await this.settled()
  }

  async slotOf(key: string): Promise<number> {
    return Number(await Promise.any(this.nodes.map((node) => ask(node, 'cluster', 'keyslot', key))))
  }

  async primaryOf(at: string | number): Promise<ClusterNode> {
    const slot = typeof at === 'number' ? at : await this.slotOf(at)
    const claims = (await this.#claims()).filter(({ own }) => own.primary === '-' && serves(own, slot))
    const [latest] = claims.toSorted((left, right) => right.own.epoch - left.own.epoch)
    if (latest === undefined) throw new Error(`nobody serves slot ${slot}`)
    return latest.node
  }

  waitForPrimaryOf(at: string | number, otherThan?: ClusterNode, timeout?: number): Promise<ClusterNode> {
    const found = async (): Promise<ClusterNode | undefined> => {
      const primary = await this.primaryOf(at)
      return primary === otherThan ? undefined : primary
    }
    return until(`${otherThan === undefined ? 'a' : 'another'} primary of ${at}`, found, timeout)
  }

  async replicaOf(primary: ClusterNode): Promise<ClusterNode> {
    const following = (await this.#claims()).find(({ own }) => own.primary === primary.id)
    if (following === undefined) throw new Error(`the node on port ${primary.port} has no replica that runs`)
    return following.node
  }

  async failover(replica: ClusterNode, how?: 'force' | 'takeover'): Promise<void> {
    await ask(replica, 'cluster', 'failover', ...(how === undefined ? [] : [how]))
    await until('a fail-over that all know of', () =>
      this.#allSee((views) => {
        const seen = views.find(({ id }) => id === replica.id)
        return seen?.primary === '-' && seen.slots.length > 0
      }),
    )
  }

  async moveSlot(slot: number, to: ClusterNode): Promise<void> {
    const move = await this.beginMove(slot, to)
    await move.finish()
  }

  async beginMove(slot: number, to: ClusterNode): Promise<SlotMove> {
    const from = await this.primaryOf(slot)
    const about = ['cluster', 'setslot', String(slot)]
    // In this order: the other way round a client could be sent to one that knows of nothing.
    await ask(to, ...about, 'importing', from.id)
    await ask(from, ...about, 'migrating', to.id)
    const move = async (...keys: string[]): Promise<void> => {
      const auth = authOf(this.#credentials)
      await ask(from, 'migrate', to.host, String(to.port), '', '0', '5000', ...auth, 'keys', ...keys)
    }
    return { from, to, move, finish: () => this.#finish(slot, from, to, move) }
  }

  async settled(timeout = 30_000): Promise<void> {
    await withSetting(this.nodes, 'repl-diskless-sync-delay', '0', () =>
      until('agreement of all nodes', () => this.#isSettled(), timeout),
    )
  }

  async stop(): Promise<void> {
    await this.network.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #startNode(): Promise<void> {
    const port = await freePortWithBus()
    let announcedBus = port + BUS
    const { binary, tls } = this.#options
    const member = await this.network.settle([port, announcedBus], (place) => {
      const { announced, args, inside } = place
      const announce = announceOf(place, port)
      announcedBus = announced[1] ?? announcedBus
      return {
        port,
        args: announce === undefined ? args : [...args, '--cluster-announce-bus-port', String(announcedBus)],
        ...(inside !== undefined && { inside }),
        ...(this.#credentials !== undefined && { as: this.#credentials }),
        ...(binary !== undefined && { binary }),
        ...(tls !== undefined && { tls }),
        config: (own) => this.#config({ ...own, announce }),
      }
    })
    const node = Object.assign(member, { id: await ask(member, 'cluster', 'myid') })
    this.#busOf.set(node, announcedBus)
    this.nodes.push(node)
  }

  #config(own: Pick<ClusterNodeAt, 'port' | 'directory' | 'announce'>): string {
    const { config, nodeTimeout = 1_000, password, lines = [] } = this.#options
    const at: ClusterNodeAt = { ...own, role: 'cluster', replicas: this.#replicas, nodeTimeout: `${nodeTimeout}ms` }
    return config?.(at) ?? fileOf([...clusterNodeLines(at, password), ...lines])
  }

  /** Each primary has its share of the slots, and an epoch of its own, so that no two of them contradict each other. */
  async #giveSlots(node: ClusterNode, index: number): Promise<void> {
    const border = (share: number): number => Math.floor((share * SLOTS) / this.#primaries)
    await ask(node, 'cluster', 'set-config-epoch', String(index + 1))
    await ask(node, 'cluster', 'addslotsrange', String(border(index)), String(border(index + 1) - 1))
  }

  async #introduce(node: ClusterNode, others: readonly ClusterNode[]): Promise<void> {
    for (const other of others)
      await ask(node, 'cluster', 'meet', other.host, String(other.announced), String(this.#busOf.get(other)))
  }

  async #finish(slot: number, from: ClusterNode, to: ClusterNode, move: SlotMove['move']): Promise<void> {
    for (;;) {
      const keys = await ask(from, 'cluster', 'getkeysinslot', String(slot), String(PORTION))
      if (keys === '') break
      await move(...keys.split('\n'))
    }
    for (const node of [to, from]) await ask(node, 'cluster', 'setslot', String(slot), 'node', to.id)
    await until(`slot ${slot} moved`, () =>
      this.#allSee((views) => views.some((view) => view.id === to.id && serves(view, slot))),
    )
  }

  /** What the nodes that answer say of themselves. */
  async #claims(): Promise<{ readonly node: ClusterNode; readonly own: View }[]> {
    const asked = await Promise.all(
      this.nodes.map(async (node) => {
        const own = (await viewsOf(node).catch(() => [])).find(({ flags }) => flags.includes('myself'))
        return own === undefined ? [] : [{ node, own }]
      }),
    )
    return asked.flat()
  }

  /** Whether it is so for every node that answers. */
  async #allSee(isSo: (views: readonly View[]) => boolean): Promise<boolean> {
    const all = await Promise.all(this.nodes.map((node) => viewsOf(node).catch(() => undefined)))
    return all.every((views) => views === undefined || isSo(views))
  }

  async #isSettled(): Promise<boolean> {
    const all = await Promise.all(this.nodes.map(viewsOf))
    const stories = new Set(all.map(story))
    if (!all.flat().every(isWell) || stories.size > 1 || all[0]?.length !== this.nodes.length) return false
    return (await Promise.all(this.nodes.map(servesOrFollows))).every(Boolean)
  }
}

/** Whether a node is ready to serve, and has its data if it is a replica. */
async function servesOrFollows(node: ClusterNode): Promise<boolean> {
  const [info, role] = await Promise.all([ask(node, 'cluster', 'info'), ask(node, 'role')])
  return info.includes('cluster_state:ok') && (role.startsWith('master') || role.includes('\nconnected\n'))
}

/** A node has to have heard of its primary first. */
async function follow(node: ClusterNode, primary: ClusterNode): Promise<void> {
  await until('a replica', async () => (await ask(node, 'cluster', 'replicate', primary.id)) === 'OK')
}

/** A free port, and the one that the cluster's bus has by default. */
async function freePortWithBus(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (await portIsFree(port + BUS)) return port
  }
}

/** As MIGRATE has it. */
function authOf(credentials: Credentials | undefined): string[] {
  if (credentials === undefined) return []
  const { user, password } = credentials
  return user === undefined ? ['auth', password] : ['auth2', user, password]
}
