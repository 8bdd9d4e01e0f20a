/** What handlers see of a visit: `req.session`. */
import { hiddenField } from '../csrf/field.ts'
import { judgeToken, makeToken, type Lineage } from '../csrf/token.ts'
import { DataError, HeadSentError, NotMountedError } from '../errors.ts'
import type { CommitOutcome, Session, SessionCsrf, SessionStatus } from '../types.ts'
import { absoluteDeadline } from './expiry.ts'
import type { Services } from './services.ts'
import type { SessionWork } from './session-work.ts'

/** What action cycles need of a session besides its public face. */
export interface Bond {
  readonly services: Services
  /** What its tokens are bound to; `undefined` while the browser has no id of ours. */
  lineage(): Lineage | undefined
  /** The same for a new token: a visitor who has no id yet is given one with this answer. Throws `HeadSentError`. */
  issueLineage(): Lineage
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
    return this.#work.data.value
  }

  set data(value: Data) {
    if (typeof value !== 'object' || value === null)
      throw new DataError('', 'session.data is a plain object: to forget what it holds, assign {}.')
    this.#work.data.value = value
  }

  get status(): SessionStatus {
    return this.#work.identity.status
  }

  get handle(): string | undefined {
    return this.#work.identity.handle
  }

  get userId(): string | undefined {
    return this.#work.identity.holding?.record.userId
  }

  get createdAt(): Date | undefined {
    return dateOf(this.#work.identity.holding?.record.createdAt)
  }

  get signedInAt(): Date | undefined {
    return dateOf(this.#work.identity.holding?.record.signedInAt)
  }

  get expiresAt(): Date | undefined {
    const record = this.#work.identity.holding?.record
    if (record === undefined) return undefined
    const { timers } = this.#services.settings
    return new Date(Math.min(this.#services.clock.now() + timers.idle, absoluteDeadline(record, timers)))
  }

  get version(): number {
    return this.#work.identity.holding?.record.counter ?? 0
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.status === 'lapsed') this.#controller.abort()
      this.#work.held = () => this.#watch()
      this.#watch()
    }
    return this.#controller.signal
  }

  get csrf(): SessionCsrf {
    return (this.#csrf ??= this.#makeCsrf())
  }

  update<Result>(change: (data: Data) => Result): Promise<Result> {
    return this.#work.update(change)
  }

  commit(): Promise<CommitOutcome> {
    return this.#work.commit()
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

  signOut(options: { everywhere?: boolean } = {}): Promise<void> {
    return this.#work.signOut(options.everywhere ?? false)
  }

  regenerateId(options: { previous?: 'graced' | 'refused' } = {}): Promise<void> {
    return this.#work.regenerateId(options.previous ?? 'graced')
  }

  static bondOf<Data extends object>(session: HandlerSession<Data>): Bond {
    return {
      services: session.#services,
      lineage: () => session.#work.identity.lineage(),
      issueLineage: () => session.#issueLineage(),
      refuseUnchecked: () => session.#work.refuseUnchecked(),
    }
  }

  /** Nobody can wait for its end through this request any more. */
  finish(): void {
    this.#finished = true
    this.#forget()
  }

  #watch(): void {
    const { holding } = this.#work.identity
    if (this.#controller === undefined || holding === undefined || this.#finished) return
    this.#forget()
    this.#forget = this.#services.watchers.watch(holding.id.selector, holding.record.epoch, this.#controller)
  }

  #issueLineage(): Lineage {
    const { identity, headGone } = this.#work
    if (headGone && identity.lineage() === undefined)
      throw new HeadSentError(
        'A CSRF token for this visitor needs a cookie, and the head of the response has left: make the token before the first byte of the body.',
      )
    return identity.issueLineage()
  }

  #makeCsrf(): SessionCsrf {
    const { keyring, random } = this.#services
    const token = (path?: string): string => makeToken(keyring.active, random, this.#issueLineage(), { path })
    return {
      token,
      field: (path) => hiddenField(token(path)),
      verify: (given, path) =>
        judgeToken(this.#services.keyring, given, this.#work.identity.lineage(), path) === 'valid',
    }
  }
}

function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time)
}
