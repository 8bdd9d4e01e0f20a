/** Old records that new servers keep up to date, while old ones serve the same visitors. */
import type { Mirrored, OldRecord, OldRecords } from '../../core/old-sessions.ts'
import { OptionsError } from '../../errors.ts'
import { milliseconds } from '../../core/duration.ts'
import type { Duration } from '../../types.ts'
import { serializeCookie } from '../express-session/set-cookie.ts'
import type { CookiePlace, SourceOptions } from './source-options.ts'

/** Where the old cookie was set, and how: sessions that begin on a new server get one that is like it. */
export interface MirroredCookie extends CookiePlace {
  /** How long it lives. Default: as long as the browser is open. */
  readonly maxAge?: Duration | undefined
  /** Default `false`. */
  readonly secure?: boolean | undefined
  /** Default: none, as where the old library was given none. */
  readonly sameSite?: 'lax' | 'strict' | 'none' | undefined
}

/** What sources with a store take besides. */
export interface MirrorOptions {
  /**
   * Whether old servers serve the same visitors at the same time. Then the old record stays the truth: what old servers
   * changed in it counts, and what new servers change is written to it, too. Goes with `source: 'leave'`. Default `false`.
   */
  readonly mirror?: boolean | undefined
  readonly cookie?: MirroredCookie | undefined
}

type Done = (error?: unknown) => void

/** The part of an old store that is written to. */
export interface WrittenStore {
  set(id: string, session: object, done: Done): unknown
  touch?(id: string, session: object, done: Done): unknown
}

/** How a kind of old session is mirrored. */
export interface Mirroring {
  readonly options: MirrorOptions & Pick<SourceOptions, 'source'> & { readonly map?: unknown; readonly unmap?: unknown }
  readonly cookieName: string
  /** The value of its cookie. */
  readonly sign: (id: string) => string
}

/** What it takes to mirror. `undefined`: that is not asked for. Throws `OptionsError`. */
export function recordsOf(
  { options, cookieName, sign }: Mirroring,
  store: Partial<WrittenStore>,
  load: OldRecords['load'],
  asked: (ask: (done: Done) => unknown) => Promise<unknown>,
): OldRecords | undefined {
  const { mirror = false, cookie = {}, source = 'leave', unmap, map } = options
  if (typeof mirror !== 'boolean') throw new OptionsError('adopt.mirror', 'mirror must be true or false.')
  if (unmap !== undefined && typeof unmap !== 'function')
    throw new OptionsError('adopt.unmap', 'unmap must be a function of the session and of the old one.')
  const fresh = newCookieOf(cookie)
  if (!mirror) return undefined
  if (source !== 'leave')
    throw new OptionsError('adopt.source', "mirror: true leaves the old sessions to the old servers: source: 'leave'.")
  if (map !== undefined && unmap === undefined)
    throw new OptionsError(
      'adopt.unmap',
      'mirror: true with map needs unmap(session, old), which answers what old servers are to find: the members of the old session.',
    )
  const { set, touch } = store
  if (typeof set !== 'function')
    throw new OptionsError('adopt.store', 'mirror: true writes to the store of the old servers: it needs its set.')
  const toMembers = (unmap ?? ((session: Mirrored) => ({ ...session.data }))) as OldRecords['membersOf']
  return {
    load,
    write: async (id, record) => {
      await asked((done) => set.call(store, id, prolonged(record), done))
    },
    touch: async (id, record) => {
      if (typeof touch === 'function') await asked((done) => touch.call(store, id, prolonged(record), done))
    },
    newCookie: fresh,
    membersOf: toMembers,
    cookieFor: (id, record) => cookieFor(cookieName, sign(id), prolonged(record)),
  }
}

/** What `cookie` may say. */
export const MIRRORED_COOKIE = { path: 0, domain: 0, maxAge: 0, secure: 0, sameSite: 0 } as const

interface RecordCookie {
  readonly originalMaxAge?: unknown
  readonly expires?: unknown
}

/** The record with its life begun anew, where it has an end. */
function prolonged(record: OldRecord): OldRecord & { readonly cookie: RecordCookie } {
  const cookie = (record['cookie'] ?? {}) as RecordCookie
  if (typeof cookie.originalMaxAge !== 'number') return { ...record, cookie }
  return { ...record, cookie: { ...cookie, expires: new Date(Date.now() + cookie.originalMaxAge) } }
}

function cookieFor(name: string, value: string, { cookie }: { readonly cookie: RecordCookie }): string {
  const { expires } = cookie
  const until = expires === undefined || expires === null ? undefined : new Date(expires as string)
  return serializeCookie(name, value, { path: '/', ...cookie, expires: until })
}

function newCookieOf(given: MirroredCookie): () => object {
  const { maxAge, ...attributes } = given
  const originalMaxAge = maxAge === undefined ? null : milliseconds('adopt.cookie.maxAge', maxAge)
  const cookie = { path: '/', httpOnly: true, ...attributes, originalMaxAge }
  try {
    serializeCookie('any', '', cookie)
  } catch (error) {
    throw new OptionsError('adopt.cookie', `cookie must be as the old servers set it: ${(error as Error).message}.`)
  }
  return () => ({ ...cookie, expires: originalMaxAge === null ? null : new Date(Date.now() + originalMaxAge) })
}
