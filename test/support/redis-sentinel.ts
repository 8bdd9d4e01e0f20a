/**
 * A primary, its replicas and the Sentinels that watch them, for tests and proofs: real servers on free ports of the
 * loopback interface, in directories of their own, gone when the test or its process is.
 *
 * ```ts
 * const redis = await startSentinels()
 * const store = redisStore(redis.url)             // redis+sentinel://127.0.0.1:…,127.0.0.1:…,127.0.0.1:…/mymaster
 * const before = await redis.primary()
 * await before.kill()                             // each node can do what redis-server.ts says
 * const after = await redis.waitForPrimary(before)
 * await before.start()
 * await redis.settled()                           // it follows `after` now, and every Sentinel says so
 * await redis.failover()                          // a planned one
 * await redis.stop()
 * ```
 *
 * With `links` every line between them, and from the application to each, can be broken: see network.ts. With
 * `config` and `sentinelConfig` they run from files that others write:
 *
 * ```ts
 * await startSentinels({
 *   config: (at) => redisConf({ memory: '128mb', replicas: 2, passwords, ...at }),
 *   sentinelConfig: (at) => redisConf({ passwords: forSentinels, ...at }),
 *   as: { user: 'operator', password: passwords.operator },
 * })
 * ```
 */
import { ask, until, withSetting } from './asking.ts'
import { type Links, neighbourhood } from './namespaces.ts'
import { announceOf, type Member, type Network, type Place, startAll, type Surroundings } from './network.ts'
import { type Credentials, freePort, type RedisServerOptions, type TlsFiles } from './redis-server.ts'
import { dataNodeLines, type DataNodeAt, fileOf, type SentinelAt, sentinelLines } from './server-config.ts'

export interface SentinelsOptions {
  /** Under which name clients ask for the primary. Default: `mymaster`. */
  readonly name?: string
  /** Default: 2. */
  readonly replicas?: number
  /** Default: 3; the majority of them is the quorum. */
  readonly sentinels?: number
  /** Milliseconds of silence after which a Sentinel finds a server down. Default: 1000. */
  readonly downAfter?: number
  /** Milliseconds; a fail-over that is stuck is tried again after twice this. Default: 3000. */
  readonly failoverTimeout?: number
  /** The password of the data nodes' default user, also between them. Default: none. */
  readonly password?: string
  /** The password of the Sentinels' default user, also between them. Default: none. */
  readonly sentinelPassword?: string
  /** More lines for the data nodes' configuration, such as `appendonly yes` or `user shop on >secret ~hf:* +@all`. */
  readonly lines?: readonly string[]
  /** The same for the Sentinels. */
  readonly sentinelLines?: readonly string[]
  /** The whole configuration of a data node, instead of all that. */
  readonly config?: (at: DataNodeAt) => string
  /** The whole configuration of a Sentinel. */
  readonly sentinelConfig?: (at: SentinelAt) => string
  /** As whom `cli` signs in at the data nodes: somebody who may do everything. Default: with `password`. */
  readonly as?: Credentials
  /** And at the Sentinels. Default: with `sentinelPassword`; as at the data nodes where those are configured as a whole. */
  readonly asAtSentinels?: Credentials
  /** With what `cli` speaks TLS, where the configurations have it. */
  readonly tls?: TlsFiles
  /** Whether lines can be broken: by gates (`true`), or by the kernel. Default: false. */
  readonly links?: Links
  /** The program. Default: `redis-server`. */
  readonly binary?: string
}

export interface Sentinels extends AsyncDisposable {
  /** `redis+sentinel://127.0.0.1:p1,127.0.0.1:p2,127.0.0.1:p3/mymaster`, without a password. */
  readonly url: string
  readonly name: string
  /** The data nodes; the first was the primary at the start. */
  readonly nodes: readonly Member[]
  readonly sentinels: readonly Member[]
  readonly network: Network
  /** Who the majority of all Sentinels says is the primary, and says so itself. Rejects while there is none. */
  primary(): Promise<Member>
  /** Asks for the primary until there is one, other than the one given. Default: 20 s. */
  waitForPrimary(otherThan?: Member, timeout?: number): Promise<Member>
  /** A planned fail-over. Answers the new primary once it is. */
  failover(): Promise<Member>
  /**
   * Settles when every Sentinel names the same primary and finds nobody down, and all nodes follow that primary. While
   * it waits everybody is quicker at it than they otherwise would be. Default: 30 s.
   */
  settled(timeout?: number): Promise<void>
  /** Ends all and removes their directories. Safe to call again. */
  stop(): Promise<void>
}

/** How often Sentinels look around, in milliseconds: while a test waits for them to settle, and else as they would. */
const PACE = {
  quick: ['info-period', '100', 'publish-period', '100', 'ping-period', '100'],
  usual: ['info-period', '10000', 'publish-period', '2000', 'ping-period', '1000'],
}

/** Starts all of them, and settles when every Sentinel knows all the others. */
export async function startSentinels(options: SentinelsOptions = {}): Promise<Sentinels> {
  const topology = new Topology(options)
  try {
    await topology.start()
  } catch (error) {
    await topology.stop()
    throw error
  }
  return topology
}

class Topology implements Sentinels {
  readonly name: string
  readonly nodes: Member[] = []
  readonly sentinels: Member[] = []
  readonly network: Surroundings
  readonly #options: SentinelsOptions
  readonly #counts: { readonly replicas: number; readonly sentinels: number }

  constructor(options: SentinelsOptions) {
    this.#options = options
    this.name = options.name ?? 'mymaster'
    this.#counts = { replicas: options.replicas ?? 2, sentinels: options.sentinels ?? 3 }
    this.network = neighbourhood(options.links ?? false)
  }

  get url(): string {
    return `redis+sentinel://${this.sentinels.map(({ host, announced }) => `${host}:${announced}`).join()}/${this.name}`
  }

  async start(): Promise<void> {
    const primary = await this.#startNode(undefined)
    await startAll(this.#counts.replicas, () => this.#startNode(primary))
    await startAll(this.#counts.sentinels, () => this.#startSentinel(primary))
    await this.settled()
  }

  async primary(): Promise<Member> {
    const named = await Promise.all(this.sentinels.map((sentinel) => this.#namedBy(sentinel)))
    const votes = (node: Member): number => named.filter((port) => port === node.announced).length
    const elected = this.nodes.find((node) => votes(node) * 2 > this.sentinels.length)
    if (elected === undefined) throw new Error(`the Sentinels name ${named.join(', ')}`)
    const role = await ask(elected, 'role')
    if (!role.startsWith('master')) throw new Error(`the one that the Sentinels name is a ${role.split('\n', 1)[0]}`)
    return elected
  }

  waitForPrimary(otherThan?: Member, timeout?: number): Promise<Member> {
    const found = async (): Promise<Member | undefined> => {
      const primary = await this.primary()
      return primary === otherThan ? undefined : primary
    }
    return until(otherThan === undefined ? 'a primary' : 'another primary', found, timeout)
  }

  async failover(): Promise<Member> {
    const before = await this.waitForPrimary()
    // A Sentinel refuses while it knows of no good replica, or is at it already.
    const begin = async (): Promise<boolean> => {
      await ask(await Promise.any(this.sentinels.map(awake)), 'sentinel', 'failover', this.name)
      return true
    }
    await until('a fail-over', begin)
    return this.waitForPrimary(before)
  }

  async settled(timeout = 30_000): Promise<void> {
    await this.#pace('quick')
    try {
      await withSetting(this.nodes, 'repl-diskless-sync-delay', '0', () =>
        until('agreement of all', () => this.#isSettled(), timeout),
      )
    } finally {
      await this.#pace('usual')
    }
  }

  async stop(): Promise<void> {
    await this.network.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #startNode(primary: Member | undefined): Promise<Member> {
    const port = await freePort()
    const { config, password, lines = [] } = this.#options
    const as = this.#options.as ?? (password === undefined ? undefined : { password })
    const node = await this.network.settle([port], (place) => ({
      port,
      args: place.args,
      ...this.#inCommon(place, as),
      config: (own) => {
        const announce = announceOf(place, port)
        const at: DataNodeAt =
          primary === undefined
            ? { ...own, announce, role: 'primary' }
            : { ...own, announce, role: 'replica', primary: { host: primary.host, port: primary.announced } }
        return config?.(at) ?? fileOf([...dataNodeLines(at, password), ...lines])
      },
    }))
    this.nodes.push(node)
    return node
  }

  async #startSentinel(primary: Member): Promise<void> {
    const port = await freePort()
    const { sentinelConfig, password, sentinelPassword, sentinelLines: lines = [] } = this.#options
    const as = this.#asAtSentinels()
    const sentinel = await this.network.settle([port], (place) => ({
      port,
      args: [...place.args, '--sentinel'],
      ...this.#inCommon(place, as),
      config: (own) => {
        const at = { ...own, announce: announceOf(place, port), ...this.#watching(primary) }
        return sentinelConfig?.(at) ?? fileOf([...sentinelLines(at, password, sentinelPassword), ...lines])
      },
    }))
    this.sentinels.push(sentinel)
  }

  #inCommon({ inside }: Place, as: Credentials | undefined): RedisServerOptions {
    const { binary, tls } = this.#options
    return {
      ...(inside !== undefined && { inside }),
      ...(as !== undefined && { as }),
      ...(binary !== undefined && { binary }),
      ...(tls !== undefined && { tls }),
    }
  }

  #asAtSentinels(): Credentials | undefined {
    const { as, asAtSentinels, sentinelConfig, sentinelPassword } = this.#options
    if (asAtSentinels !== undefined) return asAtSentinels
    if (sentinelConfig !== undefined) return as
    return sentinelPassword === undefined ? undefined : { password: sentinelPassword }
  }

  #watching(primary: Member): Omit<SentinelAt, 'port' | 'directory' | 'announce'> {
    const { downAfter = 1_000, failoverTimeout = 3_000 } = this.#options
    return {
      role: 'sentinel',
      primary: { host: primary.host, port: primary.announced, name: this.name },
      sentinels: this.#counts.sentinels,
      quorum: Math.floor(this.#counts.sentinels / 2) + 1,
      downAfter: `${downAfter}ms`,
      failoverTimeout: `${failoverTimeout}ms`,
    }
  }

  async #isSettled(): Promise<boolean> {
    const primary = await this.primary()
    const { replicas, sentinels } = this.#counts
    const known = `status=ok,address=${primary.host}:${primary.announced},slaves=${replicas},sentinels=${sentinels}`
    const agree = this.sentinels.map((sentinel) => this.#agrees(sentinel, known))
    const follow = this.nodes.filter((node) => node !== primary).map((node) => follows(node, primary))
    return (await Promise.all([...agree, ...follow])).every(Boolean)
  }

  async #pace(pace: keyof typeof PACE): Promise<void> {
    await Promise.allSettled(this.sentinels.map((sentinel) => ask(sentinel, 'sentinel', 'debug', ...PACE[pace])))
  }

  /** The port; NaN of a Sentinel that does not answer. */
  async #namedBy(sentinel: Member): Promise<number> {
    const answer = await ask(sentinel, 'sentinel', 'get-master-addr-by-name', this.name).catch(() => '')
    return Number(answer.split('\n')[1] ?? Number.NaN)
  }

  async #agrees(sentinel: Member, known: string): Promise<boolean> {
    const [info, replicas] = await Promise.all([
      ask(sentinel, 'info', 'sentinel'),
      ask(sentinel, 'sentinel', 'replicas', this.name),
    ])
    const fine = replicas.match(/^flags\nslave$/gm)?.length === this.#counts.replicas
    const linked = replicas.match(/^master-link-status\nok$/gm)?.length === this.#counts.replicas
    return info.includes(known) && fine && linked
  }
}

async function awake(server: Member): Promise<Member> {
  await ask(server, 'ping')
  return server
}

/** Whether a node says that it follows this primary, and is not waiting for data. */
async function follows(node: Member, primary: Member): Promise<boolean> {
  const [role, , port, state] = (await ask(node, 'role')).split('\n')
  return role === 'slave' && Number(port) === primary.announced && state === 'connected'
}
