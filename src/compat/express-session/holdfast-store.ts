/**
 * `holdfast/express-session/store`: Holdfast's own store behind the old interface.
 *
 * ```ts
 * const sessions = createSessions({ secret, store: 'redis://10.0.0.5:6379' })
 * app.use(session({ secret: old, store: holdfastStore(sessions), resave: false, saveUninitialized: false }))
 * ```
 *
 * Two requests of one session that change different places both keep their change; a session that was ended stays so on
 * every server; an id leads to a session, but the store to no id; and every call has its deadline. How long a session
 * lives is what the manager says, whatever the cookie does.
 */
import { hash as hashOf } from 'node:crypto'
import { decode, encode } from '../../core/codec.ts'
import { standingOf, type Committed, type Gone } from '../../core/commits.ts'
import { endOrKeep } from '../../core/ending.ts'
import { sameHash } from '../../core/keyring.ts'
import type { LiveRecord } from '../../core/live-record.ts'
import { merge } from '../../core/merge.ts'
import { endedMarker } from '../../core/record.ts'
import { overBy } from '../../core/resolution.ts'
import type { Services } from '../../core/services.ts'
import { servicesOf } from '../../core/sessions.ts'
import { handleOf } from '../../core/session-id.ts'
import type { RecordBytes, Selector } from '../../core/store.ts'
import { equal } from '../../core/values.ts'
import { StoreUnavailableError } from '../../errors.ts'
import * as channels from '../../telemetry/channels.ts'
import type { Sessions } from '../../types.ts'
import { answered, type Callback } from './answered.ts'
import type { SessionRequest } from './request.ts'
import { createSession, Notes, type Session } from './session.ts'
import type { SessionData } from './store-contract.ts'
import { Store } from './store.ts'

/** What is known of a session that was loaded or saved: what is stored, and what its request made of it. */
interface Known {
  readonly place: Place
  readonly record: LiveRecord
  readonly bytes: RecordBytes
  /** What its request has made of it already; else it is as it is stored. */
  readonly saved?: SessionData
}

/** Where a session is, and what shows that an id is its. */
interface Place {
  readonly selector: Selector
  readonly hash: Uint8Array
}

/** On what was loaded: what is known of it. */
const LOADED: unique symbol = Symbol('holdfast.loaded')

type Loaded = SessionData & { readonly [LOADED]?: Known }

const SELECTOR_BYTES = 18
const HASH_BYTES = 16

/** A store for express-session whose sessions are kept by this manager. Throws `OptionsError` for what is no manager. */
export function holdfastStore<Data extends object>(sessions: Sessions<Data>): Store {
  return new HoldfastStore(servicesOf(sessions))
}

class HoldfastStore extends Store {
  /** Every call is answered in time by itself. */
  readonly ownDeadline = true
  readonly #services: Services
  readonly #notes = new Notes<Note>()
  /** What the hashes of ids begin with. */
  readonly #realm: string

  constructor(services: Services) {
    super()
    this.#services = services
    this.#realm = `["express-session",${JSON.stringify(services.settings.name)},`
  }

  get(id: string, callback?: Callback<SessionData | undefined>): unknown {
    return answered(undefined, callback, (done) => settle(this.#load(id), done))
  }

  set(id: string, session: Session, callback?: Callback): unknown {
    return answered(undefined, callback, (done) => settle(this.#save(id, session), done))
  }

  destroy(id: string, callback?: Callback): unknown {
    return answered(undefined, callback, (done) => settle(this.#end(id), done))
  }

  /** Moves the session's end, at most once per touch interval, and lets nobody wait for it. */
  touch(id: string, session: Session, callback?: Callback): unknown {
    const known = this.#notes.of(session)?.known
    if (known !== undefined && session.id === id) this.#services.touches.soon(known.place.selector, known.record)
    return answered<undefined, void>(undefined, callback, (done) => done())
  }

  override createSession(request: SessionRequest, data: SessionData): Session {
    const known = (data as Loaded)[LOADED]
    const session = createSession(request, data)
    if (known !== undefined) this.#notes.put(session, { known })
    return session
  }

  async #load(id: string): Promise<SessionData | undefined> {
    const { store, clock, ends } = this.#services
    const place = this.#placeOf(id)
    const { selector } = place
    if (ends.isPending(selector)) return undefined
    const standing = standingOf(await store.load(selector))
    if ('gone' in standing) return this.#none(standing)
    const { record, bytes } = standing
    if (!sameHash(record.hash, place.hash) || overBy(this.#services, record, clock.now()) !== undefined)
      return undefined
    const data = decode(record.payload) as SessionData
    const known: Known = { place, record, bytes }
    Object.defineProperty(data, LOADED, { value: known })
    return data
  }

  /** What cannot be read is no session that is over: nobody is to lose it for that. */
  #none({ gone }: Gone): undefined {
    if (gone !== 'unreadable') return undefined
    throw new StoreUnavailableError(
      'A session cannot be read: it was written by a newer version of Holdfast, or is garbage.',
    )
  }

  /** Two saves of one session come one after the other, because the second one begins where the first has ended. */
  async #save(id: string, session: Session): Promise<void> {
    // As JSON has it, which is what applications have found in their sessions ever since.
    const data = JSON.parse(JSON.stringify(session)) as SessionData
    const before = this.#notes.of(session)?.saving
    const saved = before === undefined ? this.#commit(id, session, data) : this.#commitAfter(before, id, session, data)
    this.#notes.put(session, { ...this.#notes.of(session), saving: saved })
    return saved
  }

  async #commitAfter(before: Promise<void>, id: string, session: Session, data: SessionData): Promise<void> {
    await Promise.allSettled([before])
    return this.#commit(id, session, data)
  }

  async #commit(id: string, session: Session, data: SessionData): Promise<void> {
    const { commits, counters, touches } = this.#services
    const place = this.#placeOf(id)
    const known = this.#notes.of(session)?.known
    // Decoded anew: what the request was given, it has gone on changing.
    const before = known?.saved ?? (known && (decode(known.record.payload) as SessionData))
    const conflicts: string[] = []
    const committed = await commits.submit(
      place.selector,
      (record) => this.#changed(record, { place, data, before, conflicts }),
      known?.bytes,
    )
    if ('gone' in committed) return counters.drop(handleIn(place), 'ended')
    const { record, bytes } = committed
    this.#notes.put(session, { ...this.#notes.of(session), known: { place, record, bytes, saved: data } })
    this.#tell(place, committed, conflicts)
    if (committed.done === 'unchanged') touches.soon(place.selector, committed.record)
    else touches.written(place.selector)
  }

  #changed(record: LiveRecord | undefined, { place, data, before, conflicts }: Changing): LiveRecord | Gone {
    const { clock, settings } = this.#services
    const now = clock.now()
    if (record === undefined) {
      if (before !== undefined) return { gone: 'absent' }
      return newRecord(place.hash, now, encode(data, settings.limits))
    }
    const over = overBy(this.#services, record, now)
    if (over !== undefined) return over
    if (before !== undefined && isSameButForExpiry(data, before)) return record
    const theirs = decode(record.payload)
    const merged = merge(before, data, theirs, { whole: settings.whole })
    // Every request moves the cookie's end: that is no conflict.
    conflicts.splice(0, conflicts.length, ...merged.conflicts.filter((path) => !/^cookie(?:\.|$)/.test(path)))
    return { ...record, payload: encode(merged.value as object, settings.limits) }
  }

  async #end(id: string): Promise<void> {
    const { store, settings, watchers, clock } = this.#services
    const place = this.#placeOf(id)
    const { selector } = place
    const handle = handleIn(place)
    await endOrKeep(this.#services, 'signed-out', {
      selector,
      handle,
      until: clock.now() + settings.timers.absolute,
      write: async () => store.end(selector, endedMarker('signed-out'), settings.maxRequestTime),
    })
    watchers.ended(selector)
    channels.lifecycle.publish({ handle, what: 'signed-out' })
  }

  #tell(place: Place, { done, record, durable }: Exclude<Committed, Gone>, conflicts: readonly string[]): void {
    const handle = handleIn(place)
    this.#services.counters.committed({ handle }, done, record.counter, durable)
    if (conflicts.length > 0) channels.conflict.publish({ handle, paths: conflicts })
  }

  /** By a hash, so that the store leads to no id. Ids are random, so that a hash needs no secret. */
  #placeOf(id: string): Place {
    const digest = hashOf('sha512', `${this.#realm}${JSON.stringify(id)}]`, 'buffer')
    const selector = digest.toString('base64url', 0, SELECTOR_BYTES) as Selector
    return { selector, hash: digest.subarray(SELECTOR_BYTES, SELECTOR_BYTES + HASH_BYTES) }
  }
}

function handleIn({ selector }: Place): string {
  return handleOf(selector, 0)
}

/** What is noted of a session. */
interface Note {
  readonly known?: Known
  /** Its last save. */
  readonly saving?: Promise<void>
}

interface Changing {
  readonly place: Place
  readonly data: SessionData
  /** The session as the request began with it; `undefined` where nothing was stored. */
  readonly before: SessionData | undefined
  /** Takes the places that another request has changed too. */
  readonly conflicts: string[]
}

function newRecord(hash: Uint8Array, now: number, payload: Uint8Array): LiveRecord {
  return {
    counter: 0,
    userId: undefined,
    epoch: 0,
    hash,
    createdAt: now,
    idMintedAt: now,
    signedInAt: undefined,
    sparedAt: undefined,
    previous: undefined,
    payload,
  }
}

function isSameButForExpiry(data: SessionData, before: SessionData): boolean {
  return equal(withoutExpiry(data), withoutExpiry(before))
}

function withoutExpiry({ cookie, ...members }: SessionData): object {
  const { expires: _moves, ...lasting } = cookie
  return { ...members, cookie: lasting }
}

function settle<Value>(work: Promise<Value>, tell: Callback<Value>): void {
  work.then(
    (value) => tell(null, value),
    (error: unknown) => tell(error),
  )
}
