/** What handlers see of a visit: `req.session`. */
import { hiddenField } from '../csrf/field.ts'
import { judgeToken, makeToken, type Lineage } from '../csrf/token.ts'
import { DataError, HeadSentError, NotMountedError, OptionsError } from '../errors.ts'
import type { CommitOutcome, CommitResult, DurabilityOption, Session, SessionCsrf, SessionStatus } from '../types.ts'
import { absoluteDeadline } from './expiry.ts'
import type { Identity } from './identity.ts'
import { DURABILITIES } from './options.ts'
import type { Services } from './services.ts'
import type { SessionWork } from './session-work.ts'
import type { Durability, Durable } from './store.ts'

/** What action cycles need of a session besides its public face. */
export interface Bond {
  readonly services: Services
  /** What its tokens are bound to; `undefined` while the browser has no id of ours. */
  lineage(): Lineage | undefined
  /** The same for a new token: a visitor who has no id yet is given one with this answer. Throws `HeadSentError`. */
  issueLineage(): Lineage
  /** Whether the browser has a right to what is kept under its lineage: a lineage alone is no evidence of that. Asks the store where no live session has shown it. */
  entitled(): Promise<boolean>
  /** A token goes into the answer, which from now on is this visitor's alone. Throws `HeadSentError` where its head has left and says otherwise. */
  noteToken(): void
  /** Throws `CsrfError` while the request's CSRF check is still to be made. */
  refuseUnchecked(): void
}

/** The bond of what `sessions.of` answers. Throws `NotMountedError` for anything else. */
export function bondOf(session: object): Bond {
  if (session instanceof HandlerSession) return HandlerSession.bondOf(session as HandlerSession<object>)
  throw new NotMountedError('This is no session of Holdfast: pass what req.session or sessions.of(req) gives.')
}

export class HandlerSession<Data extends object> implements Session<Data> {
  readonly #services: Services
  readonly #work: SessionWork<Data>
  #controller: AbortController | undefined
  /** Forgets what the controller waits for. */
  #forget: () => void = () => undefined
  #finished = false
  #csrf: SessionCsrf | undefined

  constructor(services: Services, work: SessionWork<Data>) {
    this.#services = services
    this.#work = work
  }

  get data(): Data {
    if (this.#work.unread !== undefined) throw this.#work.unread
    return this.#work.data.value
  }

  set data(value: Data) {
    if (typeof value !== 'object' || value === null)
      throw new DataError('', 'session.data is a plain object: to forget what it holds, assign {}.')
    if (this.#work.unread !== undefined) throw this.#work.unread
    this.#work.data.value = value
  }

  get status(): SessionStatus {
    const { status } = this.#identity
    return status === 'live' && this.#work.data.newer ? 'stale' : status
  }

  get handle(): string | undefined {
    return this.#identity.handle
  }

  get userId(): string | undefined {
    return this.#identity.holding?.record.userId
  }

  get createdAt(): Date | undefined {
    return dateOf(this.#identity.holding?.record.createdAt)
  }

  get signedInAt(): Date | undefined {
    return dateOf(this.#identity.holding?.record.signedInAt)
  }

  get expiresAt(): Date | undefined {
    const record = this.#identity.holding?.record
    if (record === undefined) return undefined
    const { timers } = this.#services.settings
    return new Date(Math.min(this.#services.clock.now() + timers.idle, absoluteDeadline(record, timers)))
  }

  get version(): number {
    return this.#identity.holding?.record.counter ?? 0
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const { status } = this
      this.#controller = new AbortController()
      if (status === 'lapsed') this.#controller.abort()
      this.#work.held = () => this.#watch()
      this.#watch()
    }
    return this.#controller.signal
  }

  get csrf(): SessionCsrf {
    return (this.#csrf ??= this.#makeCsrf())
  }

  update<Result>(change: (data: Data) => Result): Promise<Result>
  update<Result>(
    change: (data: Data) => Result,
    options: DurabilityOption,
  ): Promise<{ readonly result: Result } & Durable>
  async update<Result>(
    change: (data: Data) => Result,
    options?: DurabilityOption,
  ): Promise<Result | ({ readonly result: Result } & Durable)> {
    const updated = await this.#work.update(change, durabilityOf(options))
    return options === undefined ? updated.result : updated
  }

  commit(): Promise<CommitOutcome>
  commit(options: DurabilityOption): Promise<CommitResult>
  async commit(options?: DurabilityOption): Promise<CommitOutcome | CommitResult> {
    const written = await this.#work.commit(durabilityOf(options))
    return options === undefined ? written.outcome : written
  }

  reload(): Promise<void> {
    return this.#work.reload()
  }

  touch(): Promise<void> {
    return this.#work.touch()
  }

  signIn(userId: string, options: { data?: 'keep' | 'drop' | readonly (keyof Data & string)[] } = {}): Promise<void> {
    return this.#work.signIn(userId, options.data ?? 'keep')
  }

  signOut(options: { everywhere?: boolean } = {}): Promise<Durable> {
    return this.#work.signOut(options.everywhere ?? false)
  }

  regenerateId(options: { previous?: 'graced' | 'refused' } = {}): Promise<void> {
    return this.#work.regenerateId(options.previous ?? 'graced')
  }

  static bondOf<Data extends object>(session: HandlerSession<Data>): Bond {
    return {
      services: session.#services,
      lineage: () => session.#identity.lineage(),
      issueLineage: () => session.#issueLineage(),
      entitled: () => session.#identity.entitled(),
      noteToken: () => session.#noteToken(),
      refuseUnchecked: () => session.#work.refuseUnchecked(),
    }
  }

  /** Nobody can wait for its end through this request any more. */
  finish(): void {
    this.#finished = true
    this.#forget()
  }

  /** Throws where nothing is known of it. */
  get #identity(): Identity {
    if (this.#work.unread !== undefined) throw this.#work.unread
    return this.#work.identity
  }

  #watch(): void {
    const { holding } = this.#work.identity
    if (this.#controller === undefined || holding === undefined || this.#finished) return
    this.#forget()
    this.#forget = this.#services.watchers.watch(holding.id.selector, holding.record.epoch, this.#controller)
  }

  #issueLineage(): Lineage {
    const { headGone } = this.#work
    const identity = this.#identity
    if (headGone && identity.lineage() === undefined)
      throw new HeadSentError(
        'A CSRF token for this visitor needs a cookie, and the head of the response has left: make the token before the first byte of the body.',
      )
    return identity.issueLineage()
  }

  #noteToken(): void {
    const work = this.#work
    if (work.headGone && !work.personal && work.head?.shared === true)
      throw new HeadSentError(
        'A CSRF token is asked for after the head of the response has left, and that head lets caches give the page to other visitors: make the token before the first byte of the body, or send Cache-Control: private.',
      )
    work.personal = true
  }

  #makeCsrf(): SessionCsrf {
    const { keyring, random } = this.#services
    const token = (path?: string): string => {
      const lineage = this.#issueLineage()
      this.#noteToken()
      return makeToken(keyring.active, random, lineage, { path })
    }
    return {
      token,
      field: (path) => hiddenField(token(path)),
      verify: (given, path) => judgeToken(this.#services.keyring, given, this.#identity.lineage(), path) === 'valid',
    }
  }
}

function durabilityOf(options: DurabilityOption | undefined): Durability | undefined {
  if (options === undefined || DURABILITIES.includes(options.durability)) return options?.durability
  throw new OptionsError('durability', "durability must be 'primary' or 'replicated'.")
}

function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time)
}
