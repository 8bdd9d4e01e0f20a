/** The sessions of each world: three managers that differ in their name and in their store. */
import { createSessions, type Sessions } from 'holdfast'
import { lmdbStore } from 'holdfast/lmdb'
import { memoryStore } from 'holdfast/memory'

import type { Ledger } from '../transfer.ts'
import type { World } from '../worlds.ts'
import { watched } from './trips.ts'

export interface SessionSetup {
  /** The same on both servers. */
  readonly secret: string
  /** The folder of the store that both servers use. */
  readonly folder: string
}

export function createLedgers(world: World, { secret, folder }: SessionSetup): Sessions<Ledger> {
  return createSessions<Ledger>({
    // Cookies know nothing of ports and little of paths: three applications on one host need three names.
    name: world.id,
    secret,
    store: watched(world.store === 'one' ? lmdbStore(folder) : memoryStore()),
    // Money: besides the browser's word for where a form comes from, every form must bring its token.
    csrf: 'strict',
    initial: () => ({ transfers: [] }),
  })
}
