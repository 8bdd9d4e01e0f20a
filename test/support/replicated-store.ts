/** A store of two servers in memory: one answers, the other is its replica, and takes its place when a test says so. */
import type { Durability, Durable, Store, StoreWatcher, Swap } from '../../src/core/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'

export interface ReplicatedStore extends Store {
  /** Whether the replica takes what the primary takes. While it does not, it confirms nothing. */
  replicates: boolean
  /** What `create` and `replace` were asked for, in order. */
  readonly wishes: readonly Durability[]
  /** The other server, as a process sees it that has noticed a fail-over before others have. */
  readonly replica: Store
  /** The replica takes the primary's place, and the watchers are told. */
  failOver(): void
}

type Call = (store: Store) => unknown

const WRITES = ['touch', 'enroll', 'withdraw', 'nextLease', 'holdLease'] as const
const READS = ['load', 'remaining', 'roll', 'epoch', 'stats'] as const

export function replicatedStore(now: () => number): ReplicatedStore {
  let [primary, replica] = [memoryStore({ now }), memoryStore({ now })]
  const watchers: StoreWatcher[] = []
  const wishes: Durability[] = []
  const both = (call: Call): unknown => {
    const answer = call(primary)
    if (store.replicates) call(replica)
    return answer
  }
  const asked = (call: Call): Durable => {
    const answer = both(call) as Swap & Durable
    return 'done' in answer && !answer.done ? answer : { ...answer, durable: store.replicates }
  }
  const store = {
    kind: 'replicated',
    replicates: true,
    wishes,
    get replica() {
      return replica
    },
    failOver() {
      ;[primary, replica] = [replica, primary]
      for (const watcher of watchers) watcher.replaced()
    },
    open: async () => void (await Promise.all([primary.open(), replica.open()])),
    close: async () => void (await Promise.all([primary.close(), replica.close()])),
    watch: (watcher: StoreWatcher) => void watchers.push(watcher),
    end: (...given: Parameters<Store['end']>) => asked((one) => one.end(...given)),
    bar: (...given: Parameters<Store['bar']>) => asked((one) => one.bar(...given)),
    moveEpoch: () => asked((one) => one.moveEpoch()),
    create: (...given: Parameters<Store['create']>) => {
      wishes.push(given[3] ?? 'primary')
      return given[3] === 'replicated' ? asked((one) => one.create(...given)) : both((one) => one.create(...given))
    },
    replace: (...given: Parameters<Store['replace']>) => {
      wishes.push(given[4] ?? 'primary')
      return given[4] === 'replicated' ? asked((one) => one.replace(...given)) : both((one) => one.replace(...given))
    },
    patch: (...given: Parameters<Store['patch']>) => both((one) => one.patch(...given)),
    ...Object.fromEntries(
      WRITES.map((name) => [name, (...given: unknown[]) => both((one) => callOf(one, name)(...given))]),
    ),
    ...Object.fromEntries(READS.map((name) => [name, (...given: unknown[]) => callOf(primary, name)(...given)])),
  }
  return store as unknown as ReplicatedStore
}

function callOf(store: Store, name: keyof Store): (...given: unknown[]) => unknown {
  return (store[name] as (...given: unknown[]) => unknown).bind(store)
}
