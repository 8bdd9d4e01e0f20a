/** Old sessions that are in a store, under an id that their cookie names. */
import { inspect } from 'node:util'

import type { OldRecord, OldSessions, OldVisit } from '../../core/old-sessions.ts'
import { withoutOurs } from '../../core/mirror-mark.ts'
import { OptionsError } from '../../errors.ts'
import { type Mirroring, recordsOf, type WrittenStore } from './mirroring.ts'
import type { Common } from './source-options.ts'

type Done<Value = unknown> = (error?: unknown, value?: Value) => void

/** What is asked of an old store: some methods of what express-session and @fastify/session call a store. */
export interface OldStore {
  get(id: string, callback: (error?: never, session?: never) => void): unknown
  destroy(id: string, callback: (error?: never) => void): unknown
  /** Where it is mirrored. */
  set?(...given: never[]): unknown
  /** The same. */
  touch?(...given: never[]): unknown
}

interface AskedStore extends Partial<WrittenStore> {
  get(id: string, callback: Done<object | null>): unknown
  destroy(id: string, callback: Done): unknown
}

/** No id that anybody makes. */
const PROBED = 'holdfast-probe'

export interface StoredSessions {
  readonly kind: string
  readonly store: unknown
  readonly common: Common
  /** The ids in a header that the old servers signed. */
  readonly idsIn: (header: string) => readonly string[]
  readonly mirroring: Mirroring
}

export function storedSessions({ kind, store: given, common, idsIn, mirroring }: StoredSessions): OldSessions<never> {
  const store = checkStore(given)
  const record = async (id: string): Promise<OldRecord | undefined> =>
    living(await asked<object | null>((done) => store.get(id, done)))
  const load = async (id: string): Promise<object | undefined> => withoutOurs(await record(id))
  const records = recordsOf(mirroring, store, record, asked)
  return {
    ...common,
    source: records === undefined ? common.source : 'leave',
    kind,
    records,
    adopted: common.adopted as OldSessions<never>['adopted'],
    presented: (header) => [...new Set(idsIn(header))].map((id): OldVisit => ({ id, load: () => load(id) })),
    end: async (id) => {
      await asked((done) => store.destroy(id, done))
    },
    probe: () => asked((done) => store.get(PROBED, done)),
  }
}

function checkStore(store: unknown): AskedStore {
  const { get, destroy } = (store ?? {}) as Partial<AskedStore>
  if (typeof get === 'function' && typeof destroy === 'function') return store as AskedStore
  throw new OptionsError('adopt.store', 'store must be the store of the old servers, with get and destroy.')
}

/** The old libraries take a store that knows no such file for one that knows no such session. */
function asked<Value>(ask: (done: Done<Value>) => unknown): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    ask((error, value) => {
      if (error === undefined || error === null) resolve(value)
      else if ((error as { code?: unknown }).code === 'ENOENT') resolve(undefined)
      else reject(error instanceof Error ? error : new Error(inspect(error)))
    })
  })
}

/** What a store answered; `undefined` where it is over. */
function living(session: object | null | undefined): OldRecord | undefined {
  if (typeof session !== 'object' || session === null) return undefined
  const { cookie } = session as { cookie?: { originalExpires?: unknown; expires?: unknown } }
  const expires = cookie?.originalExpires ?? cookie?.expires
  const over = expires !== undefined && expires !== null && new Date(expires as string).getTime() <= Date.now()
  return over ? undefined : (session as OldRecord)
}
