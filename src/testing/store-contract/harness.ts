/** What the contract's tests stand on: the caller's harness and runner, and a bench with open stores for one test. */
import { KIND_LIVE, USER_OFFSET, VERSION_OFFSET } from '../../core/record.ts'
import type { Awaitable, RecordBytes, Selector, Store } from '../../core/store.ts'

/** An empty store that one test works with. */
export interface ContractFixture {
  /**
   * A handle onto the store's data, not opened yet, as another server would have it. A store that lives in
   * one process may answer the same handle each time.
   */
  connect(): Store
  /** Lets the store's clock go on by so many milliseconds: sets a fake clock, or waits. */
  advance(ms: number): Awaitable<void>
  /** Clears up after the test. All handles are closed by then. */
  destroy(): Awaitable<void>
}

export interface ContractHarness {
  start(): Awaitable<ContractFixture>
  /** What the tests take as one step of time, in milliseconds. Default 1 000, for a fake clock; where `advance` waits, about 100. */
  readonly unit?: number | undefined
  /** Whether time passes by itself too. Default: false. */
  readonly realTime?: boolean | undefined
  /** The random part: its first seed (default: a new one each time), how many runs (100), how many steps in each (40). */
  readonly model?:
    | { readonly seed?: number | undefined; readonly runs?: number | undefined; readonly steps?: number | undefined }
    | undefined
}

/** The two functions of a test runner that the suite calls. */
export interface TestRunner {
  describe(title: string, body: () => void): unknown
  it(title: string, body: () => Promise<void>): unknown
}

/** What a store told its watcher of tracked loads. */
export interface Told {
  /** Of what it told changes, in this order. */
  readonly changed: readonly Selector[]
  /** How often it told that changes may not be told of. */
  readonly untracked: number
}

/** Open stores and a clock, for one test. */
export interface Bench {
  /** One step of time in milliseconds: a lifetime of `3 * unit` is over after `advance(4)`. */
  readonly unit: number
  /** The first handle. */
  readonly store: Store
  /** So many open handles onto the same data; the first is `store`. */
  servers(count: number): Promise<Store[]>
  /** Lets so many steps of time pass. */
  advance(units: number): Promise<void>
  /** What a handle with `loadTracked` has told since it was opened. */
  toldBy(store: Store): Told
}

/** Declares a test that gets a bench, and clears up after it. */
export type Rule = (title: string, body: (bench: Bench) => Promise<void>) => void

export function ruleOf(harness: ContractHarness, runner: TestRunner): Rule {
  return (title, body) => {
    runner.it(title, () => withBench(harness, body))
  }
}

export async function withBench(harness: ContractHarness, body: (bench: Bench) => Promise<void>): Promise<void> {
  const fixture = await harness.start()
  const unit = harness.unit ?? 1_000
  const stores: Store[] = []
  const news = new Map<Store, Told>()
  const servers = async (count: number): Promise<Store[]> => {
    while (stores.length < count) {
      const store = fixture.connect()
      stores.push(store)
      if (!news.has(store)) news.set(store, listenTo(store))
      await store.open()
    }
    return stores.slice(0, count)
  }
  const advance = async (units: number): Promise<void> => fixture.advance(units * unit)
  try {
    await servers(1)
    const [store] = stores
    if (store === undefined) throw new TypeError('connect() answered no store')
    await body({ unit, store, servers, advance, toldBy: (one) => news.get(one) ?? listenTo(one) })
  } finally {
    for (const store of stores) await store.close()
    await fixture.destroy()
  }
}

function listenTo(store: Store): Told {
  const changed: Selector[] = []
  const told = { changed, untracked: 0 }
  if (store.loadTracked === undefined) return told
  store.watch?.({
    replaced: () => undefined,
    changed: (selector) => void changed.push(selector),
    untracked: () => (told.untracked += 1),
  })
  return told
}

/** A lifetime that no test outlives: 30 days. */
export const LONG: number = 30 * 24 * 3_600_000

let selectors = 0

/** A selector that no other test uses. */
export function newSelector(): Selector {
  selectors += 1
  return selectorOf(`s${String(selectors).padStart(9, '0')}`)
}

/** A selector of the right form that begins with `name`. */
export function selectorOf(name: string): Selector {
  return name.padEnd(24, '-') as Selector
}

/** The version of a record: its counter and its writer's stamp, each 32 bits. */
export function version(counter: number, stamp = 0): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, counter)
  view.setUint32(4, stamp)
  return bytes
}

/** A live record as `core/record.ts` lays it out. */
export function record(
  counter: number,
  options: { stamp?: number; user?: string; body?: Uint8Array } = {},
): RecordBytes {
  const user = new TextEncoder().encode(options.user ?? '')
  const body = options.body ?? Uint8Array.of(1, 2, 3)
  const bytes = new Uint8Array(USER_OFFSET + 1 + user.length + body.length)
  bytes[0] = KIND_LIVE
  bytes.set(version(counter, options.stamp), VERSION_OFFSET)
  bytes[USER_OFFSET] = user.length
  bytes.set(user, USER_OFFSET + 1)
  bytes.set(body, USER_OFFSET + 1 + user.length)
  return bytes
}

/** The counter of a live record. */
export function counterOf(value: RecordBytes): number {
  return new DataView(value.buffer, value.byteOffset).getUint32(VERSION_OFFSET)
}

/** The error that `run` ends with, whether it throws or rejects; `undefined` when it does not. */
export async function failureOf(run: () => Awaitable<unknown>): Promise<unknown> {
  try {
    await run()
  } catch (error) {
    return error ?? new Error('threw nothing')
  }
  return undefined
}
