/** Holdfast, the same for every framework. */
import { createSessions, type NearCacheStats, type Sessions } from 'holdfast'

import { ORIGIN, type Visit } from './page.ts'
import { SECRET, type Setup } from './setup.ts'

/** Lines without their details. */
const log = {
  warn: (_details: object, message: string): void => console.error(message),
  error: (_details: object, message: string): void => console.error(message),
}

let latest: Sessions<Partial<Visit>> | undefined

/** Of the sessions that were made last in this process. */
export function nearCacheStats(): NearCacheStats | undefined {
  return latest?.stats().nearCache
}

/** Resolves once the store answers. */
export async function readySessions({ store, nearCache }: Setup): Promise<Sessions<Partial<Visit>>> {
  const cache = nearCache === undefined ? {} : { nearCache }
  const sessions = createSessions<Partial<Visit>>({ secret: SECRET, store, origin: ORIGIN, log, ...cache })
  await sessions.ready()
  latest = sessions
  return sessions
}
