/** `req.session`: the application's values, the cookie, and what can be done with a session. */
import { answered, isFailure, type Callback } from './answered.ts'
import { Cookie, type CookieOptions } from './cookie.ts'
import { keeperOf } from './keeper.ts'
import type { SessionRequest } from './request.ts'
import { askStore } from './store-call.ts'
import { tellOfLoaded, type SessionData, type SessionStore } from './store-contract.ts'

/** Reads, and writes, what a store has noted in a session; `undefined` and `false` for one that another copy of this module made. */
let read: (session: Session) => object | undefined
let write: (session: Session, note: object) => boolean

export class Session {
  /** A store's, where nobody sees it and nothing copies it. Not in a WeakMap, whose entries cost at each collection of garbage. */
  #note: object | undefined = undefined

  static {
    read = (session) => (#note in session ? session.#note : undefined)
    write = (session, note) => {
      if (!(#note in session)) return false
      session.#note = note
      return true
    }
  }

  declare readonly req: SessionRequest
  declare readonly id: string
  declare cookie: Cookie;
  [member: string]: unknown

  /** What has the name of a member of every session is not taken from `data`. */
  constructor(request: SessionRequest, data?: Partial<SessionData> | null) {
    Object.defineProperty(this, 'req', { value: request })
    Object.defineProperty(this, 'id', { value: request.sessionID })
    if (typeof data !== 'object' || data === null) return
    for (const member in data) if (!(member in this)) this[member] = data[member]
  }

  /** Sets the session's life back to its full length, here; the store hears of it at the end of the response. */
  touch(): this {
    return this.resetMaxAge()
  }

  resetMaxAge(): this {
    this.cookie.maxAge = this.cookie.originalMaxAge
    return this
  }

  /** Saves now, and not again at the end of the response if nothing changes until then. */
  save(callback?: Callback): this | Promise<void> {
    return answered<this, void>(this, callback, (done) => {
      const keeper = keeperOf(this.req)
      if (keeper === undefined) storeOf(this).set(this.id, this, done)
      else keeper.save(this, done)
    })
  }

  /** Reads the session anew, into a new `req.session`. */
  reload(callback?: Callback): this | Promise<void> {
    const { req, id } = this
    return answered<this, void>(this, callback, (done) => {
      const store = storeOf(this)
      const loaded: Callback<SessionData | null | undefined> = (error, data) => {
        if (isFailure(error)) return done(error)
        if (data === undefined || data === null) return done(new Error('failed to load session'))
        createSessionIn(store, req, data)
        done()
      }
      askStore(store, { operation: 'get', deadline: deadlineOf(req) }, (answer) => store.get(id, answer), loaded)
    })
  }

  /** Ends the session: it is gone from the request at once. */
  destroy(callback?: Callback): this | Promise<void> {
    delete this.req.session
    keeperOf(this.req)?.ending(this)
    return answered<this, void>(this, callback, (done) => destroyIn(storeOf(this), this.req, this.id, done))
  }

  /** Ends the session, and begins an empty one under a new id. */
  regenerate(callback?: Callback): this | Promise<void> {
    return answered<this, void>(this, callback, (done) => regenerateIn(storeOf(this), this.req, done))
  }
}

/** What a store has noted in a session. */
export class Notes<Note extends object> {
  /** Of sessions that another copy of this module made. */
  readonly #others = new WeakMap<Session, Note>()

  of(session: Session): Note | undefined {
    return (read(session) as Note | undefined) ?? this.#others.get(session)
  }

  put(session: Session, note: Note): void {
    if (!write(session, note)) this.#others.set(session, note)
  }
}

function storeOf({ req }: Session): SessionStore {
  return req.sessionStore as SessionStore
}

/** Makes of what a store answered the request's session. */
export function createSession(request: SessionRequest, data: SessionData): Session {
  // Not taken apart in one step: applications know the message of this one, for a record without a cookie.
  const expires = data.cookie.expires
  const originalMaxAge = data.cookie.originalMaxAge
  const cookie = new Cookie(data.cookie)
  if (typeof expires === 'string') cookie.expires = new Date(expires)
  cookie.originalMaxAge = originalMaxAge
  data.cookie = cookie as unknown as CookieOptions
  return (request.session = new Session(request, data))
}

/** Ends the request's session, and makes it a new one, whatever became of the old. */
export function regenerate(store: SessionStore, request: SessionRequest, done: Callback): void {
  destroyIn(store, request, request.sessionID as string, (error) => {
    store.generate?.(request)
    done(error)
  })
}

function destroyIn(store: SessionStore, request: SessionRequest, id: string, done: Callback): void {
  askStore(store, { operation: 'destroy', deadline: deadlineOf(request) }, (answer) => store.destroy(id, answer), done)
}

/** Without a middleware that says so, there is none. */
function deadlineOf(request: SessionRequest): number {
  return keeperOf(request)?.deadline ?? Number.POSITIVE_INFINITY
}

/** As the store does it where it has a way of its own. */
function regenerateIn(store: SessionStore, request: SessionRequest, done: Callback): void {
  if (store.regenerate === undefined || isInherited(store, 'regenerate')) regenerate(store, request, done)
  else store.regenerate(request, done)
}

/** The request's session, made as the store makes it where it has a way of its own. */
export function createSessionIn(store: SessionStore, request: SessionRequest, data: SessionData): Session {
  if (store.createSession !== undefined && !isInherited(store, 'createSession'))
    return store.createSession(request, data)
  const session = createSession(request, data)
  tellOfLoaded(store, session)
  return session
}

/**
 * Whether a store does this as the base class does, ours or that of express-session itself: its sessions would lack what
 * ours have. A base class is what has all three of these.
 */
function isInherited(store: SessionStore, method: 'createSession' | 'regenerate'): boolean {
  let owner: object | null = store
  while (owner !== null && !Object.hasOwn(owner, method)) owner = Object.getPrototypeOf(owner) as object | null
  return owner !== null && ['createSession', 'load', 'regenerate'].every((name) => Object.hasOwn(owner, name))
}
