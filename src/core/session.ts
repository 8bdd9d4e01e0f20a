/** What handlers see of a visit: `req.session`. */
import { hiddenField } from '../csrf/field.ts'
import { judgeToken, makeToken } from '../csrf/token.ts'
import { DataError, HeadSentError } from '../errors.ts'
import type { CommitOutcome, Session, SessionCsrf, SessionStatus } from '../types.ts'
import { absoluteDeadline } from './expiry.ts'
import type { Services } from './services.ts'
import type { SessionWork } from './session-work.ts'

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

  #makeCsrf(): SessionCsrf {
    const token = (path?: string): string => {
      const { identity, headGone } = this.#work
      if (headGone && identity.lineage() === undefined)
        throw new HeadSentError(
          'A CSRF token for this visitor needs a cookie, and the head of the response has left: make the token before the first byte of the body.',
        )
      return makeToken(this.#services.keyring.active, this.#services.random, identity.issueLineage(), path)
    }
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
