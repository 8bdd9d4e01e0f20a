/** One request's dealings with its session: from what was loaded for it to what is saved before its response leaves. */
import type { ServerResponse } from 'node:http'
import type { SettlingVisit } from '../../adapters/held-response.ts'
import type { Settled } from '../../core/visit.ts'
import { isCallable, isFailure, type Callback } from './answered.ts'
import { forgottenCookie, type Cookie } from './cookie.ts'
import { thisMoment, type Moment } from './endings.ts'
import { appendCookie } from './head-hook.ts'
import type { Keeper } from './keeper.ts'
import { newCookie, type Settings } from './options.ts'
import { isSecure, type Next, type SessionRequest } from './request.ts'
import { Session } from './session.ts'
import { isSame, lifeOf, snapshotOf, type Snapshot } from './snapshot.ts'
import { signed, type Secret } from './signature.ts'
import type { Storing } from './storing.ts'

/** What all requests of one middleware share. */
export interface Shared {
  readonly settings: Settings
  readonly storing: Storing
  /** Says once why a cookie was not sent. */
  readonly warnOfTransport: (request: SessionRequest) => void
}

export interface Exchanged {
  readonly request: SessionRequest
  readonly response: ServerResponse
  readonly next: Next
  readonly secret: Secret
}

type Due = 'destroy' | 'save' | 'touch' | undefined

const NOTHING_TO_SEND: Settled = Object.freeze({ cookies: Object.freeze([]) })

export class Exchange implements SettlingVisit, Keeper {
  readonly personal = false
  readonly #shared: Shared
  readonly #settings: Settings
  readonly #exchanged: Exchanged
  /** The id of the cookie that came. */
  readonly #cookieId: string | undefined
  /** The session as the request began with it. */
  #original: Snapshot | undefined
  #saved: Snapshot | undefined
  /** With which cookie a session under a new id was saved: a longer life, given after that, is to be stored, too. */
  #savedLife: string | undefined
  /** The session as it was when it was last compared. */
  #present: Snapshot | undefined
  /** When the request's present session was asked for, or made. */
  #since: Moment
  #touched = false
  /** Whether another answer takes the place of this response, which a session that could not be stored is no part of. */
  #refused = false
  /** Whether what was due at the first byte is done; what is due later is a change that came later. */
  #looked = false
  /** Whether the first byte has come to where it is held. A head that is decided may still be on its way there, as through compression. */
  #begun: boolean
  #settling = false
  /** Whether the application ends its response: what it changes from now on, it changes in vain. */
  #finishing = false
  /** What its end has begun, and the store has not answered yet. */
  #pending: Promise<void> | undefined
  /** Whether there is nothing left to wait for. */
  #finished = false
  /** The cookie of a session that was ended here. */
  #ended: Cookie | undefined
  /** Calls of `req.session.save()` that the store has not answered yet, and who waits for them. */
  #saving = 0
  #whenSaved: (() => void)[] = []

  /** `since`: before the session was asked for. */
  constructor(shared: Shared, exchanged: Exchanged, cookieId: string | undefined, since: Moment) {
    this.#shared = shared
    this.#settings = shared.settings
    this.#exchanged = exchanged
    this.#cookieId = cookieId
    this.#since = since
    this.#begun = exchanged.response.headersSent
  }

  /** Takes the present session of the request for what it began with. `stored`: so it is in the store. */
  begin(stored: boolean): void {
    this.#original = snapshotOf(this.#exchanged.request.session as Session)
    if (stored && !this.#settings.resave) this.#saved = this.#original
  }

  get deadline(): number {
    return this.#settings.storeDeadline
  }

  generate(request: SessionRequest): void {
    generate(this.#settings, request)
    this.#since = thisMoment()
  }

  save(session: Session, done: Callback): void {
    this.#saving++
    this.#set(session, snapshotOf(session), (error) => {
      this.#saving--
      // The application was told. What its visitor has to have all the same is tried once more: a session under a new id.
      const again = this.#settings.refuses || session.id !== this.#original?.id
      if (isFailure(error) && again) this.#saved = undefined
      if (this.#saving === 0) for (const resolve of this.#whenSaved.splice(0)) resolve()
      done(error)
    })
  }

  ending(session: Session): void {
    this.#ended = session.cookie
  }

  /** The head is about to be written: now it is decided about the cookie. */
  atHead(): void {
    const { request } = this.#exchanged
    const { session } = request
    if (this.#refused) return
    if (!session) return this.#clearCookie()
    if (!this.#sendsCookie(session)) return
    if (session.cookie.secure && !isSecure(request, this.#settings.proxy)) return this.#shared.warnOfTransport(request)
    this.#touch(session)
    this.#appendCookie(session.cookie, signed(request.sessionID as string, this.#exchanged.secret))
  }

  /**
   * The application ends its response, which has begun to leave already: what it has changed since is saved before the rest
   * leaves. `undefined`: there is nothing to wait for. Rejects where another answer has to take its place. `held`: whether
   * what is due at the first byte is waited for elsewhere.
   */
  atEnd(held: boolean): Promise<void> | undefined {
    const { response } = this.#exchanged
    if (held && !this.#begun) this.#finishAtOnce()
    if (held && (!this.#begun || this.#settling)) return undefined
    if (!this.unsettled) return undefined
    return this.#settle().catch((error: unknown) => {
      this.#refused = this.#settings.refuses && !response.headersSent
      if (this.#refused) throw error
      this.#afterwards(error)
    })
  }

  /** What is due is begun with at once. The response need not be held where the store has answered already. */
  #finishAtOnce(): void {
    if (this.#saving > 0 || this.#pending !== undefined) return
    try {
      const due = this.#due()
      this.#looked = true
      this.#finishing = true
      this.#pending = due === undefined ? undefined : this.#carryOut(due)
      this.#finished = this.#pending === undefined
      // Whoever holds the response waits for it, a while later.
      this.#pending?.catch(() => undefined)
    } catch {
      // What cannot be compared cannot be saved either, which the next attempt to do so reports.
      this.#looked = false
    }
  }

  get unsettled(): boolean {
    if (this.#finished) return false
    if (this.#pending !== undefined || this.#saving > 0 || this.#isDueAnyhow()) return true
    try {
      return this.#due() !== undefined
    } catch {
      // What cannot be compared cannot be saved either, which the attempt to do so reports.
      return true
    }
  }

  pass(): void {
    this.#begun = true
    this.#looked = true
  }

  settle(): Promise<Settled> {
    this.#begun = true
    const settled = this.#pending ?? this.#settleFromHere()
    this.#finished = this.#pending !== undefined
    return settled.then(nothingToSend, (error: unknown) => this.#failed(error))
  }

  farewell(): readonly string[] {
    return []
  }

  finish(): void {}

  /** What is due at the first byte of a response that its application has not ended yet. */
  async #settleFromHere(): Promise<void> {
    this.#settling = true
    try {
      // A handler that writes its response in one go is let finish, so that its session is saved once.
      await Promise.resolve()
      // One that streams is not waited for.
      if (!this.#exchanged.response.writableEnded) await new Promise((resolve) => setImmediate(resolve))
      await this.#settle()
    } finally {
      this.#settling = false
    }
  }

  async #settle(): Promise<void> {
    const { response } = this.#exchanged
    let ended: boolean
    do {
      if (this.#saving > 0) await new Promise<void>((resolve) => this.#whenSaved.push(resolve))
      ended = response.writableEnded
      const due = this.#due()
      this.#looked = true
      if (due !== undefined) await this.#carryOut(due)
      // Once more, if the handler has ended meanwhile. What is changed after the end is changed in vain, as ever.
    } while (!ended && response.writableEnded && this.unsettled)
  }

  /** Whether there is something to do whatever the session holds, so that it need not be compared. */
  #isDueAnyhow(): boolean {
    const { session, sessionID } = this.#exchanged.request
    const { resave, store } = this.#settings
    if (!session || this.#looked || sessionID === undefined || this.#cookieId !== sessionID) return false
    return (resave || store.touch !== undefined) && !this.#isOver()
  }

  #due(): Due {
    const { session, sessionID } = this.#exchanged.request
    if (!session) return this.#settings.destroysUnset && sessionID && !this.#looked ? 'destroy' : undefined
    if (typeof sessionID !== 'string') return undefined
    this.#present = snapshotOf(session)
    // What has ended is not stored, which is told of if something was changed.
    if (this.#isOver() && isSame(this.#original, this.#present)) return undefined
    if (this.#isToBeSaved(session, this.#present)) return 'save'
    const { store } = this.#settings
    return this.#cookieId === sessionID && store.touch !== undefined && !this.#looked && !this.#isOver()
      ? 'touch'
      : undefined
  }

  /** `undefined`: the store has done it already. */
  #carryOut(due: 'destroy' | 'save' | 'touch'): Promise<void> | undefined {
    let answer: { readonly error: unknown } | undefined
    let tell: (() => void) | undefined
    this.#askFor(due, (error) => {
      answer = { error }
      tell?.()
    })
    if (answer !== undefined && !isFailure(answer.error)) return undefined
    return new Promise<void>((resolve, reject) => {
      tell = () => (isFailure(answer?.error) ? reject(answer.error) : resolve())
      if (answer !== undefined) tell()
    })
  }

  #askFor(due: 'destroy' | 'save' | 'touch', done: Callback): void {
    const { request } = this.#exchanged
    const { storing } = this.#shared
    const session = request.session as Session
    const id = request.sessionID as string
    const before = this.#saved
    if (due !== 'destroy') this.#touch(session)
    if (due === 'destroy') storing.destroy(id, done)
    else if (due === 'save') this.#set(session, this.#present ?? snapshotOf(session), done)
    else if (!storing.touch(id, session, done)) this.#takeIn(session, before)
  }

  /** Saves, and remembers so at once: whether it succeeds is for the store to say, and not tried again. */
  #set(session: Session, present: Snapshot, done: Callback): void {
    const stored = this.#cookieId === session.id || this.#saved?.id === session.id
    this.#saved = present
    if (session.id !== this.#original?.id) this.#savedLife = lifeOf(session.cookie)
    if (!this.#shared.storing.set(session, { since: this.#since, stored }, done)) this.#takeIn(session, present)
  }

  /**
   * What a store writes into a session that it is given is no change by the application. Where it has answered at once,
   * the application may have gone on in its callback, and may have changed something itself.
   */
  #takeIn(session: Session, before: Snapshot | undefined): void {
    const isOver = this.#finishing || this.#exchanged.response.writableEnded
    if (before === undefined || before !== this.#saved || isOver) return
    this.#saved = snapshotOf(session)
  }

  /** Moves the session's own end, once. */
  #touch(session: Session): void {
    if (this.#touched) return
    this.#touched = true
    session.touch()
  }

  /** Whether the session that was loaded has been ended since, by another request of this process. */
  #isOver(): boolean {
    const { sessionID } = this.#exchanged.request
    return this.#shared.storing.isOver(sessionID as string, this.#since)
  }

  #isToBeSaved(session: Session, present: Snapshot): boolean {
    const isNew = this.#cookieId !== this.#exchanged.request.sessionID
    const untouched = !this.#settings.saveUninitialized && this.#saved === undefined && isNew
    if (!isSame(untouched ? this.#original : this.#saved, present)) return true
    return !untouched && session.id !== this.#original?.id && this.#savedLife !== lifeOf(session.cookie)
  }

  #isModified(session: Session): boolean {
    return !isSame(this.#original, snapshotOf(session))
  }

  #sendsCookie(session: Session): boolean {
    const { sessionID } = this.#exchanged.request
    const { saveUninitialized, rolling } = this.#settings
    if (typeof sessionID !== 'string' || this.#isOver()) return false
    if (this.#cookieId !== sessionID) return saveUninitialized || this.#isModified(session)
    return rolling || (isGiven(session.cookie.expires) && this.#isModified(session))
  }

  /** The browser forgets the cookie of a session that was ended, if it sent one. */
  #clearCookie(): void {
    const { request } = this.#exchanged
    const ended = this.#ended ?? (this.#settings.destroysUnset ? newCookie(this.#settings, request) : undefined)
    if (ended === undefined || this.#cookieId === undefined) return
    if (ended.secure && !isSecure(request, this.#settings.proxy)) return
    this.#appendCookie(forgottenCookie(ended), '')
  }

  #appendCookie(cookie: Cookie, value: string): void {
    try {
      appendCookie(this.#exchanged.response, cookie.serialize(this.#settings.name, value))
    } catch (error) {
      this.#afterwards(error)
    }
  }

  /** What could not be stored: the response does not leave; or it does, and then the error is handed on. */
  #failed(error: unknown): Settled {
    if (this.#settings.refuses) throw error
    this.#afterwards(error)
    return NOTHING_TO_SEND
  }

  /** Hands an error on when the response has left. */
  #afterwards(error: unknown): void {
    const { response, next } = this.#exchanged
    const hand = (): void => {
      setImmediate(next, error)
    }
    // What has no events is no response, but what stands for one: that of a WebSocket, for one.
    if (response.writableFinished || response.destroyed || !isCallable(response.once)) return hand()
    let handed = false
    for (const event of ['finish', 'close']) {
      response.once(event, () => {
        if (!handed) hand()
        handed = true
      })
    }
  }
}

function nothingToSend(): Settled {
  return NOTHING_TO_SEND
}

/** Makes the request a new session. */
export function generate(settings: Settings, request: SessionRequest): void {
  request.sessionID = settings.genid(request)
  request.session = new Session(request)
  request.session.cookie = newCookie(settings, request)
}

function isGiven(expires: unknown): boolean {
  return expires !== null && expires !== undefined
}
