/** Drives one request's session for an adapter; what handlers see of it is in `session.ts`. */
import { CsrfCheck } from '../csrf/check.ts'
import { DataError, LimitError, StoreUnavailableError, UnconfirmedError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type { Session } from '../types.ts'
import { absoluteDeadline, noRenewalBefore } from './expiry.ts'
import { Identity } from './identity.ts'
import type { Followed, Mirror } from './mirror.ts'
import { isForwarded, readPresented, type Presented } from './presented.ts'
import { headerOf, isSafe, type RequestFacts } from './request.ts'
import { resolve, resolveCopies, type DeadIds, type Live, type Resolution } from './resolution.ts'
import type { Services, WarnOnce } from './services.ts'
import { HandlerSession } from './session.ts'
import { SessionData, type DataRules, type Told } from './session-data.ts'
import { SessionWork } from './session-work.ts'
import type { Durable } from './store.ts'
import { graceBegun } from './succession.ts'
import { deepFreeze } from './values.ts'
import { UNPARSED, type Opening, type SentHead, type Settled, type Visit } from './visit.ts'

/** What all visits of one manager have besides its services. */
export interface Surroundings<Data extends object> {
  readonly services: Services
  readonly rules: DataRules<Data>
  readonly dead: DeadIds
  readonly warnings: WarnOnce
  readonly revokeUser: (userId: string) => Promise<Durable>
}

const NO_COOKIES: Settled = Object.freeze({ cookies: Object.freeze([]) })
const NOTHING_TO_SETTLE: Promise<Settled> = Promise.resolve(NO_COOKIES)

export class Visiting<Data extends object> implements Visit<Data>, Told {
  readonly session: Session<Data>
  readonly #around: Surroundings<Data>
  readonly #facts: RequestFacts
  readonly #presented: Presented
  readonly #identity: Identity
  readonly #data: SessionData<Data>
  readonly #work: SessionWork<Data>
  readonly #handlerSession: HandlerSession<Data>
  #settled: Promise<Settled> | undefined
  #failure: unknown
  #finished = false
  /** Where old servers serve the same visitors: what they know of this session. */
  #followed: Followed | undefined

  constructor(around: Surroundings<Data>, facts: RequestFacts) {
    const { services } = around
    this.#around = around
    this.#facts = facts
    this.#presented = readPresented(services, facts)
    const { adoption } = services
    const old = adoption === undefined ? undefined : adoption.brought(headerOf(facts, 'cookie'))
    this.#identity = new Identity(services, this.#presented, old)
    this.#data = new SessionData(around.rules, undefined, this)
    this.#work = new SessionWork(services, this.#identity, this.#data, around.revokeUser)
    this.#handlerSession = new HandlerSession(services, this.#work)
    this.session = this.#handlerSession
  }

  open(options: Opening = {}): Promise<void> | undefined {
    const opened = this.#openOwn(options)
    const { mirror } = this.#around.services.adoption ?? {}
    if (mirror !== undefined) return (opened ?? Promise.resolve()).then(() => this.#follow(mirror, options))
    if (this.#identity.old === undefined) return opened
    return opened === undefined ? this.#adopt(options) : opened.then(() => this.#adopt(options))
  }

  #openOwn(options: Opening): Promise<void> | undefined {
    if (this.#presented.only !== undefined) return this.#load(options)
    const { sid, gid } = this.#presented.ids
    if (sid.length > 0 || gid.length > 0) return this.#load(options)
    const brought = this.#presented.brought
    if (this.#presented.unknownKey && (brought.includes('sid') || brought.includes('gid')))
      this.#identity.lapse([], true)
    return undefined
  }

  defer(): boolean {
    const { evidence } = this.#csrf()
    if (evidence === 'safe') return false
    if (this.#around.services.settings.csrf === 'report') return true
    if (evidence === 'refused') this.check(UNPARSED)
    this.#work.unchecked = true
    return true
  }

  forgotten(): void {
    this.#csrf().refuseForgotten()
  }

  check(body: unknown, method: string = this.#facts.method): void {
    this.#work.unchecked = false
    if (isSafe(method) && this.#facts.upgrade !== true) return
    const check = this.#csrf(method)
    try {
      this.#work.unproven = check.make(body) ? () => check.refuseSignIn() : undefined
    } catch (error) {
      // What was changed before the check goes with none of the answers to what is refused.
      const { holding } = this.#identity
      this.#data.reset(holding?.record.payload, holding?.id.selector)
      throw error
    }
  }

  get head(): SentHead | undefined {
    return this.#work.head
  }

  set head(head: SentHead | undefined) {
    this.#work.head = head
  }

  get personal(): boolean {
    return this.#work.personal
  }

  get unsettled(): boolean {
    return this.#identity.hasCookies || this.#work.pending || this.#mirror !== undefined
  }

  settle(): Promise<Settled> {
    this.#settled ??= this.#settleOnce().catch((error: unknown) => {
      this.#failure = error
      this.#logMistake(error)
      throw error
    })
    return this.#settled
  }

  pass(): void {
    this.#settled ??= NOTHING_TO_SETTLE
    this.#headLeaves()
  }

  farewell(): readonly string[] {
    // What is stored and not confirmed is there: who gets no id for it could never see it.
    if (this.#failure instanceof UnconfirmedError) return this.#identity.cookies()
    return this.#identity.cookies(false).filter((cookie) => cookie.endsWith('Max-Age=0'))
  }

  finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.#work.headGone = true
    this.#handlerSession.finish()
    if (this.#failure === undefined && !this.#identity.detached && this.#data.changed) this.#tooLate()
  }

  #load(options: Opening): Promise<void> | undefined {
    const { fresh = false, touch = true, signOut = false } = options
    const { services, dead } = this.#around
    const through = fresh || !isSafe(this.#facts.method) || this.#facts.upgrade === true
    try {
      const found = resolve(services, this.#presented, dead, through)
      if (found instanceof Promise) {
        const begun = found.then((resolution) => this.#begin(resolution, touch))
        return services.copies === undefined && !signOut
          ? begun
          : begun.catch((error: unknown) => this.#beginWithout(error, options))
      }
      this.#begin(found, touch)
      return undefined
    } catch (error) {
      return this.#beginWithout(error, options)
    }
  }

  /** Whoever has no session, and brought one of another library, goes on with that. */
  #adopt({ touch = true, signOut = false }: Opening): Promise<void> | undefined {
    const { adoption } = this.#around.services
    const { old, status, detached } = this.#identity
    if (adoption === undefined || old === undefined || old.arrivals.length === 0) return undefined
    // What another server may know to be live must not be displaced, and what cannot be answered with an id is not begun.
    if (status === 'live' || status === 'stale' || detached || this.#presented.transport === 'none') return undefined
    const adopting = adoption.adopt(old, !isSafe(this.#facts.method) || this.#facts.upgrade === true)
    return adopting.then(
      (live) => {
        if (live !== undefined) this.#begin(live, touch)
      },
      (error: unknown) => {
        if (!signOut || !(error instanceof StoreUnavailableError)) throw error
        this.#work.unread = error
      },
    )
  }

  /** Where old servers serve the same visitors, and this request may have a session of theirs. */
  get #mirror(): Mirror | undefined {
    const { detached, holding, status } = this.#identity
    if (holding === undefined || status !== 'live' || detached || this.#presented.transport === 'none') return undefined
    return this.#around.services.adoption?.mirror
  }

  /** Goes on with what old servers have made of the session, or with one that they began. */
  async #follow(mirror: Mirror, { touch = true, signOut = false }: Opening): Promise<void> {
    const { old, status, detached, holding } = this.#identity
    if (status === 'stale' || detached || this.#presented.transport === 'none') return
    try {
      const followed = await mirror.follow(old?.arrivals ?? [], holding)
      if (followed === 'ended') {
        this.#identity.outlive()
        this.#data.reset(undefined)
      } else if (followed !== undefined) {
        this.#followed = followed
        if (followed.live !== undefined) this.#begin(followed.live, touch)
      }
    } catch (error) {
      if (!signOut || !(error instanceof StoreUnavailableError)) throw error
      this.#work.unread = error
    }
  }

  /** The store could not be asked: a copy serves, or a request that signs out goes on without. */
  async #beginWithout(error: unknown, { fresh = false, signOut = false }: Opening): Promise<void> {
    const { services } = this.#around
    if (!(error instanceof StoreUnavailableError)) throw error
    const found = fresh ? undefined : resolveCopies(services, this.#presented)
    if (found?.what === 'live') {
      this.#identity.beginCopy(found)
      this.#data.reset(found.record.payload, found.id.selector)
      this.#work.unavailable = error
      services.counters.stale++
    } else if (found !== undefined) {
      this.#identity.lapse(found.dead, false)
    } else if (signOut) {
      this.#work.unread = error
    } else {
      throw error
    }
  }

  #begin(found: Resolution, touch: boolean): void {
    if (found.what !== 'live') return this.#identity.lapse(found.dead, found.what === 'detached')
    this.#identity.begin(found)
    this.#data.read(found.stored, found.id.selector)
    this.#work.quiet = found.quiet
    if (!found.quiet) this.#care(found, touch)
  }

  /** Does what is due for the session beside the request's own work. */
  #care(found: Live, touch: boolean): void {
    if (touch) this.#around.services.copies?.keep(found.id.selector, found.record, found.bytes)
    if (found.by === 'current' && found.record.previous !== undefined && found.record.previous.graceEnds === undefined)
      this.#beginGrace(found)
    else if (touch && !this.#around.services.touches.soon(found.id.selector, found.record)) this.#rest(found)
  }

  /** Spares later requests the look for what is due, until something may be. */
  #rest(found: Live): void {
    const { touches, clock, copies, heartbeat, settings } = this.#around.services
    if (found.by !== 'current' || copies !== undefined) return
    const { id, record } = found
    const { timers } = settings
    const until = Math.min(
      touches.restsUntil(id.selector, record),
      noRenewalBefore(record, timers),
      absoluteDeadline(record, timers),
    )
    found.rest(clock.now(), until, heartbeat.epoch)
  }

  /** The new id has been presented: from now on the one before it has its grace time. Nobody waits for this; if it fails, the next request does it. */
  #beginGrace({ id, record, bytes }: Live): void {
    const { commits, clock, settings, touches, counters } = this.#around.services
    touches.written(id.selector)
    const begun = commits.submit(
      id.selector,
      (now) =>
        now === undefined || now.epoch !== record.epoch
          ? { gone: 'superseded' }
          : graceBegun(now, settings.timers, clock.now()),
      bytes,
    )
    begun.then(
      (done) => {
        if (!('gone' in done)) counters.commits.touched++
      },
      (error: unknown) =>
        settings.log.warn(
          { handle: this.#identity.handle, error },
          'The grace time of a renewed id could not be begun; the next request tries again.',
        ),
    )
  }

  async #settleOnce(): Promise<Settled> {
    await this.#work.settle()
    const old = await this.#forOldServers()
    this.#headLeaves()
    if (!this.#identity.hasCookies) return old.length === 0 ? NO_COOKIES : { cookies: old }
    if (this.#presented.transport === 'none') this.#warnOfTransport()
    return { cookies: [...this.#identity.cookies(), ...old] }
  }

  /** What this request changed is brought to old servers, too; answers the cookies that they give the browser. */
  async #forOldServers(): Promise<readonly string[]> {
    const mirror = this.#mirror
    if (mirror === undefined) return []
    this.#work.late = async () => void (await mirror.settle(this.#identity.holding, this.#followed))
    return mirror.settle(this.#identity.holding, this.#followed)
  }

  /** From now on a change of `data` is too late: outside production it throws where it is made. */
  #headLeaves(): void {
    this.#work.headGone = true
    if (!this.#around.services.settings.production && this.#data.touched) deepFreeze(this.#data.value)
  }

  #csrf(method: string = this.#facts.method): CsrfCheck {
    const facts = method === this.#facts.method ? this.#facts : { ...this.#facts, method }
    return new CsrfCheck(this.#around.services, facts, {
      presented: this.#presented,
      identity: this.#identity,
      unread: this.#work.unread,
      token: () => (this.#work.headGone ? undefined : this.session.csrf.token()),
    })
  }

  get handle(): string | undefined {
    return this.#identity.handle
  }

  /** The stored data are garbage, or of a newer format: they stay as they are, and this request has no session. */
  unreadable(): void {
    channels.unreadable.publish({ handle: this.#identity.handle, why: 'undecodable data' })
    this.#around.services.settings.log.error(
      { handle: this.#identity.handle },
      'The data of a session cannot be decoded; the request is served without it.',
    )
    this.#identity.lose()
  }

  /** What only a change of the program mends: the answer that goes out says little, so the log says it all. */
  #logMistake(error: unknown): void {
    if (!(error instanceof DataError || error instanceof LimitError)) return
    const { method, path } = this.#facts
    const where = error instanceof DataError ? { at: error.path } : { limit: error.limit }
    this.#around.services.settings.log.error(
      { code: error.code, ...where, handle: this.#identity.handle, method, path },
      error.message,
    )
  }

  #tooLate(): void {
    const { services } = this.#around
    const { handle } = this.#identity
    services.counters.drop(handle, 'head-sent')
    services.settings.log.warn(
      { handle, path: this.#facts.path },
      'session.data was changed after the response had begun; the change was dropped. Change it before, or use session.update().',
    )
  }

  #warnOfTransport(): void {
    const forwarded = isForwarded(this.#facts)
      ? ' A proxy in front says that it forwards: set trustProxy: true if it is yours.'
      : ''
    this.#around.warnings.warn(
      'transport',
      `No session cookie was sent, because this request came over plain HTTP. Set origin: 'https://…' to what browsers call this application.${forwarded}`,
    )
  }
}
