/** Servers over one store in virtual time, each with a clock and faults of its own. */
import { CycleError } from 'holdfast/cycle'
import { faultyStore, type FaultyStore, type StoreOperation } from 'holdfast/testing'

import type { Manager } from '../../src/core/sessions.ts'
import type { Store } from '../../src/core/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { BaseOptions } from '../../src/types.ts'
import { server, type TestData } from '../support/core-browser.ts'
import { VirtualTime } from '../support/virtual-time.ts'

export interface World {
  readonly time: VirtualTime
  /** The store itself, which never fails. */
  readonly store: Store
  readonly servers: readonly Manager<TestData>[]
  /** What each server has between itself and the store. */
  readonly faulty: readonly FaultyStore[]
  close(): Promise<void>
}

export interface WorldOptions extends BaseOptions {
  /** By how much each server's clock is ahead of the store's, in milliseconds. One server for each. Default: two that agree. */
  readonly skews?: readonly number[]
}

/** Opens a world: its time stands still until it is let pass. Close it, or later tests wait for ever. */
export async function openWorld({ skews = [0, 0], ...options }: WorldOptions = {}): Promise<World> {
  const time = new VirtualTime().install()
  const store = memoryStore({ now: () => time.now })
  const faulty = skews.map(() => faultyStore(store))
  const servers = skews.map((skew, at) => {
    const clock = { now: () => time.now + skew, forward: () => undefined }
    return server(faulty[at] as Store, clock, options)
  })
  await Promise.all(servers.map((one) => one.ready()))
  return {
    time,
    store,
    servers,
    faulty,
    close: async () => {
      for (const one of faulty) one.faults = {}
      await time.settle(Promise.all(servers.map((one) => one.close())))
      time.uninstall()
    },
  }
}

/** The `number`th call of this operation from now on gets the fault; all others go well. */
export function failOnce(
  store: FaultyStore,
  operation: StoreOperation,
  fault: 'refuse' | 'lose' | 'hang' | 'swallow',
  number = 1,
): void {
  let count = 0
  store.faults = {
    ...store.faults,
    fail: (asked) => (asked === operation && ++count === number ? fault : undefined),
  }
}

/** The code of the error that it rejects with; `undefined` where it does not. */
export async function codeOf(act: Promise<unknown>): Promise<string | undefined> {
  try {
    await act
    return undefined
  } catch (error) {
    if (error instanceof CycleError) return error.code
    return (error as { code?: string }).code ?? String(error)
  }
}
