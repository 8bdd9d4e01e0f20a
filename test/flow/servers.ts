/** Servers of one application in this process, for what is no race: each with sessions of its own over the same store. */
import { createSessions, type Options, type Sessions, type Store } from 'holdfast'

import type { Bag } from '../../proof/app/actor.ts'
import { listenWith } from '../../proof/app/holdfast.ts'
import { Browser } from '../../proof/browser.ts'

export const SECRET = 'a secret of the tests, for no other use: 5ca1ab1e'
export type Adapter = 'express' | 'fastify'
export const ADAPTERS: readonly Adapter[] = ['express', 'fastify']

export interface Servers {
  readonly origins: readonly string[]
  readonly sessions: readonly Sessions<Bag>[]
  browser(): Browser
  close(): Promise<void>
}

/** Nothing is printed by what a test provokes. */
export const QUIET = { warn: () => undefined, error: () => undefined }

/** One server for each set of options; the store is part of them. */
export async function serve(
  adapter: Adapter,
  each: readonly (Partial<Options<Bag>> & { store: string | Store })[],
): Promise<Servers> {
  const sessions = each.map((options) => createSessions<Bag>({ secret: SECRET, log: QUIET, ...options }))
  const listening = await Promise.all(sessions.map((one) => listenWith(adapter, one)))
  const origins = listening.map(({ port }) => `http://127.0.0.1:${port}`)
  return {
    origins,
    sessions,
    browser: () => new Browser(origins),
    close: async () => {
      await Promise.all(listening.map((server) => server.close()))
    },
  }
}
