/** Faults of the application's servers. */
import { setTimeout as pause } from 'node:timers/promises'

import type { SiteProcess } from '../deployment/site-process.ts'
import { SECRET } from '../deployment/deployment.ts'
import { ALL_STORES, type Fault, type Marking, oneOf } from './fault.ts'

/** Milliseconds in which a deploy lets the balancer notice that a server is back. */
const NOTICED = 500
/** Milliseconds. */
const CLOCK_AHEAD = 45_000
const CLOCK_BEHIND = -20_000

type Changes = Parameters<SiteProcess['start']>[0]

export const SERVER_FAULTS: readonly Fault[] = [
  {
    name: 'server killed (kill -9)',
    sort: 'kill',
    stores: ALL_STORES,
    seconds: 1,
    begin: async (deployed, random) => {
      const server = oneOf(deployed, random)
      await server.kill()
      return () => server.start()
    },
  },
  {
    name: 'all servers killed, one after the other',
    sort: 'server',
    stores: ALL_STORES,
    seconds: 0,
    begin: async ({ servers }) => {
      for (const server of servers) {
        await server.kill()
        await server.start()
        await pause(NOTICED)
      }
      return () => undefined
    },
  },
  {
    name: 'rolling deploy',
    sort: 'server',
    stores: ALL_STORES,
    seconds: 0,
    begin: async ({ servers }) => {
      await rolled(servers, {})
      return () => undefined
    },
  },
  {
    name: 'server stopped (SIGSTOP), then continued',
    sort: 'server',
    stores: ALL_STORES,
    seconds: 3,
    begin: async (deployed, random) => {
      const server = oneOf(deployed, random)
      server.pause()
      return () => server.resume()
    },
  },
  {
    name: 'secret rotated',
    sort: 'server',
    stores: ALL_STORES,
    seconds: 1,
    // First every server knows the new one, then it signs: so nobody is asked to take what it cannot verify.
    begin: async ({ servers }) => {
      const fresh = `a newer secret of the proofs, for no other use: ${servers[0]?.incarnation}`
      // Visitors of before a rotation may come with what an older one has signed.
      const [current = SECRET, ...older] = servers[0]?.settings.secrets ?? []
      await rolled(servers, { secrets: [current, fresh, ...older] })
      await rolled(servers, { secrets: [fresh, current, ...older] })
      return () => undefined
    },
  },
  {
    name: 'two versions of the data’s shape side by side',
    sort: 'server',
    stores: ALL_STORES,
    seconds: 2,
    begin: async ({ servers }) => {
      const version = (servers[0]?.settings.version ?? 1) + 1
      await rolled(servers, { version })
      return () => undefined
    },
  },
  {
    name: 'configuration changed by a rolling deploy',
    // Servers of both sorts serve side by side, and nothing is excused by that: only what each restart breaks.
    sort: 'none',
    stores: ALL_STORES,
    seconds: 4,
    begin: async ({ servers }, _random, mark) => {
      const [first, ...others] = servers
      if (first === undefined) throw new Error('there is no server')
      const configuration = first.settings.configuration === 'usual' ? 'other' : 'usual'
      await replaced(first, { configuration }, mark)
      return async () => {
        for (const other of others) await replaced(other, { configuration }, mark)
      }
    },
  },
  clock('forwards', CLOCK_AHEAD),
  clock('backwards', CLOCK_BEHIND),
]

function clock(direction: string, by: number): Fault {
  return {
    name: `clock of a server set ${direction}`,
    // Nothing is broken by it, and nothing is excused.
    sort: 'none',
    // Servers on one LMDB are on one machine, which has one clock.
    stores: ALL_STORES.filter((store) => store !== 'lmdb'),
    seconds: 4,
    begin: async (deployed, random) => {
      const server = oneOf(deployed, random)
      server.tell({ clock: by })
      return () => server.tell({ clock: 0 })
    },
  }
}

/** By one that has other settings. */
async function replaced(server: SiteProcess, changes: Changes, mark: Marking): Promise<void> {
  const back = mark(`server ${server.name} replaced by a deploy`, 'kill')
  await server.stop()
  await server.start(changes)
  await pause(NOTICED)
  back()
}

async function rolled(servers: readonly SiteProcess[], changes: Changes): Promise<void> {
  for (const server of servers) {
    await server.stop()
    await server.start(changes)
    await pause(NOTICED)
  }
}
