/**
 * Every error that Holdfast throws. Missing, expired, conflicting and ended are values, not errors:
 * an error here means a system that is broken, or a program that has to change.
 */

/** The codes of all errors; `docs/errors.md` has the table with what to do about each. */
export type ErrorCode =
  | 'ERR_OPTIONS'
  | 'ERR_NOT_MOUNTED'
  | 'ERR_STORE_UNAVAILABLE'
  | 'ERR_COMMIT_UNKNOWN'
  | 'ERR_UNCONFIRMED'
  | 'ERR_END_PENDING'
  | 'ERR_SESSION_ENDED'
  | 'ERR_HEAD_SENT'
  | 'ERR_DATA'
  | 'ERR_DATA_NEWER'
  | 'ERR_MIGRATION'
  | 'ERR_LIMIT'
  | 'ERR_CSRF'
  // Of action cycles: `CycleErrorCode` in `holdfast/cycle` has them all.
  | `ERR_CYCLE_${string}`

/** What an error may say besides its message. */
export interface ErrorDetails {
  readonly handle?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly cause?: unknown
}

/** The base of all errors of Holdfast. `status` is the HTTP status that fits, `handle` names the session. */
export abstract class HoldfastError extends Error {
  abstract readonly code: ErrorCode
  abstract readonly status: number
  readonly handle: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.handle = details.handle
    this.headers = details.headers ?? {}
  }
}

/** An option is missing, unknown or wrong. Thrown by the factory functions, before any request is served. */
export class OptionsError extends HoldfastError {
  readonly code = 'ERR_OPTIONS'
  readonly status = 500
  /** The option's path, such as `limits.recordSize`. */
  readonly option: string

  constructor(option: string, message: string, details?: ErrorDetails) {
    super(message, details)
    this.option = option
  }
}

/** A session was asked for on a request that Holdfast has not seen. */
export class NotMountedError extends HoldfastError {
  readonly code = 'ERR_NOT_MOUNTED'
  readonly status = 500
}

/** Whether a write that failed can have reached the store: `'no'` is certain, `'unknown'` is not. */
export type Applied = 'no' | 'unknown'

/** The store failed, refused or did not answer in time. Nothing is known about the session: nobody is logged out. */
export class StoreUnavailableError extends HoldfastError {
  readonly code = 'ERR_STORE_UNAVAILABLE'
  readonly status = 503
  /** Seconds after which to try again; also sent as `Retry-After`. */
  readonly retryAfter: number
  readonly applied: Applied

  constructor(message: string, details: ErrorDetails & { retryAfter?: number; applied?: Applied } = {}) {
    const retryAfter = details.retryAfter ?? 1
    super(message, { ...details, headers: { 'retry-after': String(retryAfter), ...details.headers } })
    this.retryAfter = retryAfter
    this.applied = details.applied ?? 'no'
  }
}

/** A write was sent and its answer was lost. It counts once or not at all, never twice. */
export class CommitUnknownError extends HoldfastError {
  readonly code = 'ERR_COMMIT_UNKNOWN'
  readonly status = 503

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { ...details, headers: { 'retry-after': '1', ...details.headers } })
  }
}

/**
 * A change was stored, and fewer replicas than `durability: 'replicated'` asks for confirmed it in time. It counts once
 * and may show later; a fail-over at this moment can lose it.
 */
export class UnconfirmedError extends HoldfastError {
  readonly code = 'ERR_UNCONFIRMED'
  readonly status = 503

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { ...details, headers: { 'retry-after': '1', ...details.headers } })
  }
}

/**
 * A session was ended, and the store could not be told. This process serves it to nobody from now on and goes on
 * telling the store; until that succeeds, other servers may still serve it.
 */
export class EndPendingError extends HoldfastError {
  readonly code = 'ERR_END_PENDING'
  readonly status = 503
  /** Who ended it. */
  readonly reason: 'signed-out' | 'revoked'

  constructor(reason: 'signed-out' | 'revoked', message: string, details: ErrorDetails = {}) {
    super(message, { ...details, headers: { 'retry-after': '1', ...details.headers } })
    this.reason = reason
  }
}

/** Why a session is over. */
export type EndReason = 'signed-out' | 'revoked' | 'expired' | 'superseded'

/** The session that was to be changed is over, and stays over. */
export class SessionEndedError extends HoldfastError {
  readonly code = 'ERR_SESSION_ENDED'
  readonly status = 401
  readonly reason: EndReason

  constructor(reason: EndReason, message: string, details?: ErrorDetails) {
    super(message, details)
    this.reason = reason
  }
}

/** Something that needs a cookie was asked for after the response's head had left. */
export class HeadSentError extends HoldfastError {
  readonly code = 'ERR_HEAD_SENT'
  readonly status = 500
}

/** A value in `session.data` that cannot be kept. Nothing was written. */
export class DataError extends HoldfastError {
  readonly code = 'ERR_DATA'
  readonly status = 500
  /** Where it is, such as `cart[2].price`. */
  readonly path: string

  constructor(path: string, message: string, details?: ErrorDetails) {
    super(message, details)
    this.path = path
  }
}

/** The stored data are of a newer version than this server knows: they are read here, and not changed. Nothing was written. */
export class NewerDataError extends HoldfastError {
  readonly code = 'ERR_DATA_NEWER'
  readonly status = 503
  /** Of the stored data. */
  readonly version: number

  constructor(version: number, message: string, details: ErrorDetails = {}) {
    super(message, { ...details, headers: { 'retry-after': '1', ...details.headers } })
    this.version = version
  }
}

/** The option `migrate` threw, or returned what is no data, for data of an older version. They stay as they are stored. */
export class MigrationError extends HoldfastError {
  readonly code = 'ERR_MIGRATION'
  readonly status = 500
  /** The version of the stored data. */
  readonly from: number

  constructor(from: number, message: string, details?: ErrorDetails) {
    super(message, details)
    this.from = from
  }

  /** The same, of this session. */
  of(handle: string | undefined): MigrationError {
    return new MigrationError(this.from, this.message, { handle, cause: this.cause })
  }
}

/** What fits where it is not 500: limits of what waits, which pass by themselves, one that the visitor can do something about, and one of a single request. */
const STATUS_OF: Readonly<Record<string, 409 | 413 | 503>> = {
  queuedCommits: 503,
  ends: 503,
  maxPerUser: 409,
  callback: 413,
}

/**
 * A limit was crossed. It is 500 and not 413: a session grows over many requests, so a smaller one seldom helps, and
 * its sender cannot know. `queuedCommits` and `ends` are 503, because that passes. `maxPerUser` is 409 (RFC 9110, section
 * 15.5.10): the user can end another session, and sign in again. `callback` is 413: one request is at fault.
 */
export class LimitError extends HoldfastError {
  readonly code = 'ERR_LIMIT'
  readonly status: 409 | 413 | 500 | 503
  /** The limit's name, as in the options: `recordSize`, `depth` … */
  readonly limit: string

  constructor(limit: string, message: string, details: ErrorDetails = {}) {
    const status = STATUS_OF[limit] ?? 500
    super(message, status === 503 ? { ...details, headers: { 'retry-after': '1', ...details.headers } } : details)
    this.status = status
    this.limit = limit
  }
}

/** Why a request was refused as a possible forgery. The list is closed. */
export type CsrfReason =
  | 'token-missing'
  | 'token-forged'
  | 'token-stale'
  | 'token-other-session'
  | 'wrong-path'
  | 'origin-refused'
  | 'no-evidence'
  | 'body-not-parsed'
  | 'session-ended'

/** A request that changes something could not show that it comes from one of our own pages. */
export class CsrfError extends HoldfastError {
  readonly code = 'ERR_CSRF'
  readonly status = 403
  readonly reason: CsrfReason
  readonly #fresh: (() => string | undefined) | undefined
  #token: string | undefined

  constructor(
    reason: CsrfReason,
    message: string,
    details: ErrorDetails & { readonly fresh?: (() => string | undefined) | undefined } = {},
  ) {
    super(message, details)
    this.reason = reason
    this.#fresh = details.fresh
  }

  /**
   * A new token, with which the script that sent this may try once more; made when it is asked for. `undefined` unless
   * the browser says that the request came from our very own origin, and once the answer has begun. Not for an answer that
   * another origin may read.
   */
  get token(): string | undefined {
    return (this.#token ??= this.#fresh?.())
  }
}
