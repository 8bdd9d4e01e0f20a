/**
 * A store in memory that tells of changes, as a server in the network does: each of our servers has a connection of its
 * own, over which it is told of the next change of what it has read, once; and news and answers take their time, if a test
 * says so.
 *
 * ```ts
 * const hub = new TrackedStores(now)
 * const [first, second] = [hub.connect(), hub.connect()]
 * first.news.hold(); first.answers.hold()   // both are kept back, each in its order
 * first.news.release()                      // what was kept back arrives, and what comes later at once
 * first.cut()                               // the channel breaks, and the server is told
 * ```
 */
import type { Selector, Store, StoreWatcher, Tracked } from '../../src/core/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'

/** Something that is under way, one after the other. */
export class Line {
  #held: (() => void)[] = []
  #holding = false

  get waiting(): number {
    return this.#held.length
  }

  send(arrive: () => void): void {
    if (this.#holding) this.#held.push(arrive)
    else arrive()
  }

  hold(): void {
    this.#holding = true
  }

  release(): void {
    this.#holding = false
    for (const arrive of this.#held.splice(0)) arrive()
  }

  /** The oldest alone. */
  next(): void {
    this.#held.shift()?.()
  }

  /** What is under way never arrives. */
  lose(): void {
    this.#held = []
  }
}

export interface TrackedConnection extends Store {
  readonly news: Line
  readonly answers: Line
  /** How often it was read. */
  readonly reads: number
  /** Whether reads are tracked. */
  tracking: boolean
  /** The channel breaks, and the server is told. News that were under way are lost. */
  cut(): void
}

const CHANGING = ['create', 'replace', 'patch', 'touch', 'end'] as const

export class TrackedStores {
  readonly #store: Store
  readonly #readers = new Map<Selector, Set<(selector: Selector) => void>>()

  constructor(now: () => number) {
    this.#store = memoryStore({ now })
  }

  connect(): TrackedConnection {
    const store = this.#store
    let watcher: StoreWatcher | undefined
    const [news, answers] = [new Line(), new Line()]
    const tell = (selector: Selector): void => news.send(() => watcher?.changed?.(selector))
    const bare = Object.fromEntries(
      ['open', 'remaining', 'enroll', 'withdraw', 'roll', 'bar', 'nextLease', 'holdLease', 'epoch', 'moveEpoch'].map(
        (name) => [name, (...given: unknown[]) => callOf(store, name as keyof Store)(...given)],
      ),
    )
    const changing = Object.fromEntries(
      CHANGING.map((name) => [
        name,
        async (selector: Selector, ...given: unknown[]) => {
          const answer = callOf(store, name)(selector, ...given)
          this.#changed(selector)
          return answer
        },
      ]),
    )
    const connection = {
      kind: 'tracked',
      mayLose: true,
      news,
      answers,
      reads: 0,
      tracking: true,
      ...bare,
      ...changing,
      watch: (given: StoreWatcher) => void (watcher = given),
      stats: () => ({ commands: connection.reads }),
      close: async () => undefined,
      load: async (selector: Selector) => (await connection.loadTracked(selector)).found,
      loadTracked: (selector: Selector) => {
        connection.reads++
        const { tracking: tracked } = connection
        if (tracked) this.#readers.set(selector, (this.#readers.get(selector) ?? new Set()).add(tell))
        const answer = { found: store.load(selector), tracked } as Tracked
        return new Promise<Tracked>((resolve) => answers.send(() => resolve(answer)))
      },
      cut: () => {
        for (const readers of this.#readers.values()) readers.delete(tell)
        news.lose()
        watcher?.untracked?.()
      },
    }
    return connection as unknown as TrackedConnection
  }

  #changed(selector: Selector): void {
    const readers = this.#readers.get(selector) ?? []
    this.#readers.delete(selector)
    for (const tell of readers) tell(selector)
  }
}

function callOf(store: Store, name: keyof Store): (...given: unknown[]) => unknown {
  return (store[name] as (...given: unknown[]) => unknown).bind(store)
}
