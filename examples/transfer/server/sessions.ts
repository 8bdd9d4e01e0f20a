/** The sessions of each world: three managers that differ in their name and in their store. */
import path from 'node:path'

import { createSessions, type Sessions } from 'holdfast'
import { lmdbStore } from 'holdfast/lmdb'
import { memoryStore } from 'holdfast/memory'

import type { Visit } from '../transfer.ts'
import type { World } from '../worlds.ts'
import { watched } from './trips.ts'

export interface SessionSetup {
  /** The same on both servers. */
  readonly secret: string
  /** Where the store is that both servers use. */
  readonly folder: string
}

export function createVisits(world: World, { secret, folder }: SessionSetup): Sessions<Visit> {
  return createSessions<Visit>({
    // Cookies know nothing of ports and little of paths: three applications on one host need three names.
    name: world.id,
    secret,
    store: watched(world.store === 'one' ? lmdbStore(path.join(folder, 'sessions')) : memoryStore()),
    // Money: besides the browser's word for where a form comes from, every form must bring its token.
    csrf: 'strict',
    initial: () => ({ receipts: {} }),
  })
}
