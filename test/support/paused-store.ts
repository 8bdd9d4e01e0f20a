/** Comes in between core and store: changes what an operation does, or stops one call of it at a chosen point. */
import type { Store } from '../../src/core/store.ts'

/** The name of an operation of a store. */
export type Operation = Exclude<keyof Store, 'kind'>

/** What stands in the place of an operation. `call` is the operation itself, as it was asked for. */
type Around = (call: () => unknown) => unknown

/** Puts a function around an operation of this store. Answers what takes it away again. */
export function around(store: Store, name: Operation, does: Around): () => void {
  const methods = store as unknown as Record<Operation, (...given: unknown[]) => unknown>
  const bare = methods[name].bind(store)
  methods[name] = (...given) => does(() => bare(...given))
  return () => {
    methods[name] = bare
  }
}

/** A door that is shut at first. */
export interface Gate {
  readonly passed: Promise<void>
  open(): void
}

export function gate(): Gate {
  let open = (): void => undefined
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open: () => open() }
}

/** One call that waits. */
export interface Pause {
  /** Resolves when the call has come to where it waits. */
  readonly reached: Promise<void>
  /** Lets it go on; with an error, the call fails with that. */
  goOn(error?: Error): void
}

/** Stops the next call of an operation: before it comes to the store, or when the store has done it and is about to answer. */
export function pause(store: Store, name: Operation, where: 'before' | 'after'): Pause {
  const [arrival, departure] = [gate(), gate()]
  let failure: Error | undefined
  const stop = async (): Promise<void> => {
    arrival.open()
    await departure.passed
    if (failure !== undefined) throw failure
  }
  const remove = around(store, name, async (call) => {
    remove()
    if (where === 'before') await stop()
    const answer = await call()
    if (where === 'after') await stop()
    return answer
  })
  return {
    reached: arrival.passed,
    goOn: (error) => {
      failure = error
      departure.open()
    },
  }
}

/** Lets everything run until it waits for something outside: a store in memory answers at once. */
export function standstill(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
