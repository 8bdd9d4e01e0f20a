/**
 * A deployment of the nodes of a cluster. Who serves which slot is learnt from any node, again when one is lost or sends
 * us elsewhere, and now and then. A node is connected to when one of its slots is used for the first time.
 */
import { ask } from './asking.ts'
import type { Deployment, DeploymentWatcher, Route } from './deployment.ts'
import type { Outage } from './line.ts'
import { type Endpoint, ErrorReply, nameOf } from './link.ts'
import { Rounds } from './rounds.ts'
import { AskedServer, Server, type ServerSettings } from './server.ts'
import { distinct, rangesOf, redirectionOf, type SlotRange, slotOf, SLOTS, SLOTS_QUESTION } from './slots.ts'
import { mayHaveLost, type Standing } from './standing.ts'
import { Telling } from './telling.ts'

export interface ClusterSettings extends ServerSettings {
  /** Nodes to begin with. */
  readonly seeds: readonly Endpoint[]
  /** Milliseconds that a node may take to answer a question about slots. */
  readonly patience: number
}

/** Milliseconds until the slots are asked for again: while all is well, and while somebody is missing. */
const CALM = 10_000
const TROUBLED_FIRST = 100
const TROUBLED_MOST = 500
const UNSERVED = 'no node of the cluster serves the slot'
/** How long a node without slots is kept that takes one over, in milliseconds. */
const ASKED_FOR = 30_000

interface Node {
  readonly server: Server
  /** How it stood when it served last. */
  standing: Standing | undefined
  /** It has slots now that another one served, and has not been seen to serve since. */
  successor: boolean
  /** Kept until then though it has no slot, of the monotonic clock. */
  keptUntil: number
}

export class Cluster implements Deployment {
  readonly where: string
  readonly #settings: ClusterSettings
  readonly #rounds = new Rounds(() => this.#round())
  readonly #closing = new AbortController()
  readonly #nodes = new Map<string, Node>()
  readonly #leaving = new Set<Server>()
  /** Who serves each slot. */
  readonly #owners: (Node | undefined)[] = Array.from({ length: SLOTS })
  readonly #telling = new Telling(() => this.#watcher?.replaced())
  /** Everybody who was named lately, and the seeds: whom to ask. */
  #known: readonly Endpoint[]
  #watcher: DeploymentWatcher | undefined
  /** Since when slots are missing, and why. */
  #gap: Outage = { since: performance.now(), cause: new Error('no node has answered yet') }
  #whole = false
  #pause = TROUBLED_FIRST

  constructor(settings: ClusterSettings) {
    this.#settings = settings
    this.#known = settings.seeds
    this.where = `the cluster of ${settings.seeds.map(nameOf).join(', ')}`
  }

  start(watcher: DeploymentWatcher): void {
    this.#watcher = watcher
    this.#gap = { ...this.#gap, since: performance.now() }
    this.#rounds.hurry()
  }

  route(key: string): Route | undefined {
    const server = this.#owners[slotOf(key)]?.server
    if (server?.ready === true) return server
    if (server?.begun === false) server.hurry()
    return undefined
  }

  outage(key: string): Outage {
    return this.#owners[slotOf(key)]?.server.outage ?? this.#gap
  }

  refused(by: Route, key: string, refusal: ErrorReply): Route | undefined {
    const owner = this.#owners[slotOf(key)]
    const redirection = redirectionOf(refusal.message, owner?.server.endpoint)
    if (redirection === undefined) {
      if (by === owner?.server) owner.server.refused(refusal)
      this.#rounds.hurry()
      return undefined
    }
    const node = this.#nodeAt(redirection.to)
    node.server.hurry()
    if (refusal.code === 'MOVED') {
      if (this.#assign(redirection.slot, node)) this.#watcher?.untracked()
      this.#rounds.hurry()
      return node.server.ready ? node.server : undefined
    }
    node.keptUntil = performance.now() + ASKED_FOR
    return node.server.ready ? new AskedServer(node.server) : undefined
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#telling.stop()
    const servers = [...this.#nodes.values()].map(({ server }) => server)
    await Promise.all([this.#rounds.stop(), ...[...servers, ...this.#leaving].map((server) => server.close())])
  }

  async #round(): Promise<number> {
    try {
      await this.#learn()
    } catch (error) {
      this.#gap = { ...this.#gap, cause: error as Error }
      this.#watcher?.changed()
    }
    if (this.#isWell()) {
      this.#pause = TROUBLED_FIRST
      return CALM
    }
    const pause = this.#pause
    this.#pause = Math.min(pause * 1.5, TROUBLED_MOST)
    return pause
  }

  /** Whether every slot has an owner, and nobody who was begun is missing. */
  #isWell(): boolean {
    return this.#whole && [...this.#nodes.values()].every(({ server }) => server.outage === undefined)
  }

  /** Asks one after the other until one answers: those who serve first, and another one each time. */
  async #learn(): Promise<void> {
    const failures: Error[] = []
    for (const endpoint of this.#inTurn()) {
      try {
        const [reply] = await ask(endpoint, [SLOTS_QUESTION], { ...this.#settings, signal: this.#closing.signal })
        if (reply instanceof ErrorReply) throw reply
        return this.#learnt(rangesOf(reply, endpoint))
      } catch (error) {
        this.#closing.signal.throwIfAborted()
        failures.push(error as Error)
      }
    }
    throw failures.at(-1) ?? new Error('no node is known')
  }

  #inTurn(): Endpoint[] {
    const [first, ...others] = this.#known
    this.#known = first === undefined ? [] : [...others, first]
    const isDown = (endpoint: Endpoint): boolean => this.#nodes.get(nameOf(endpoint))?.server.outage !== undefined
    return [...this.#known.filter((one) => !isDown(one)), ...this.#known.filter(isDown)]
  }

  #learnt(ranges: readonly SlotRange[]): void {
    if (this.#closing.signal.aborted) return
    const assigned = new Set<number>()
    let untracked = false
    for (const { first, last, primary } of ranges) {
      const node = this.#nodeAt(primary)
      for (let slot = first; slot <= last && slot < SLOTS; slot++) {
        untracked = this.#assign(slot, node) || untracked
        assigned.add(slot)
      }
    }
    untracked = this.#forgetOthers(assigned) || untracked
    if (untracked) this.#watcher?.untracked()
    this.#known = distinct([
      ...this.#known.filter((known) => ranges.some((range) => names(range, known))),
      ...ranges.flatMap(({ primary, replicas }) => [primary, ...replicas]),
      ...this.#settings.seeds,
    ])
    this.#watcher?.changed()
  }

  /** Answers whether somebody told of changes in the slot who does not hear of them any more. */
  #assign(slot: number, node: Node): boolean {
    const before = this.#owners[slot]
    if (before === node) return false
    this.#owners[slot] = node
    if (before === undefined) return false
    // Whoever was relied on has a successor that is to be relied on.
    node.successor = true
    if (before.server.begun) node.server.hurry()
    if (node.server.ready) this.#tell(node)
    return before.server.tells
  }

  /** Slots that nobody serves any more have no owner; nodes without slots are left. Answers as `#assign` does. */
  #forgetOthers(assigned: ReadonlySet<number>): boolean {
    const owners = new Set<Node | undefined>()
    let untracked = false
    for (let slot = 0; slot < SLOTS; slot++) {
      if (!assigned.has(slot)) {
        untracked ||= this.#owners[slot]?.server.tells === true
        this.#owners[slot] = undefined
      }
      owners.add(this.#owners[slot])
    }
    const whole = assigned.size === SLOTS
    if (!whole) this.#gap = { since: this.#whole ? performance.now() : this.#gap.since, cause: new Error(UNSERVED) }
    this.#whole = whole
    for (const [name, node] of this.#nodes) {
      if (owners.has(node) || node.keptUntil > performance.now()) continue
      this.#nodes.delete(name)
      this.#leave(node.server)
    }
    return untracked
  }

  #nodeAt(endpoint: Endpoint): Node {
    const name = nameOf(endpoint)
    const known = this.#nodes.get(name)
    if (known !== undefined) return known
    const server = new Server(endpoint, this.#settings, {
      serves: (_, standing) => this.#serves(node, standing),
      fails: () => this.#fails(),
      keyChanged: (key) => this.#watcher?.keyChanged(key),
      untracked: () => this.#watcher?.untracked(),
    })
    const node: Node = { server, standing: undefined, successor: false, keptUntil: 0 }
    this.#nodes.set(name, node)
    return node
  }

  #serves(node: Node, standing: Standing): void {
    const before = node.standing
    node.standing = standing
    this.#watcher?.changed()
    if (node.successor || (before !== undefined && mayHaveLost(before, standing))) this.#tell(node)
  }

  #fails(): void {
    this.#rounds.hurry()
    this.#watcher?.changed()
  }

  #tell(node: Node): void {
    node.successor = false
    this.#telling.tell()
  }

  #leave(server: Server): void {
    this.#leaving.add(server)
    void server.leave().finally(() => this.#leaving.delete(server))
  }
}

function names({ primary, replicas }: SlotRange, endpoint: Endpoint): boolean {
  return [primary, ...replicas].some((one) => nameOf(one) === nameOf(endpoint))
}
