/** What can be wrong with an action cycle, from the side of the visitor. */
import { HoldfastError } from '../errors.ts'

/**
 * | code | what happened | what a friendly application does |
 * |---|---|---|
 * | `ERR_CYCLE_UNKNOWN` | no cycle of this kind and session has this id | begin a new one |
 * | `ERR_CYCLE_FOREIGN` | the token was made for another session, or is forged | begin a new one; never show whose it was |
 * | `ERR_CYCLE_ENDED` | a sign-in, a sign-out, `abandon`, or a newer cycle at the limit ended it | say so, begin a new one |
 * | `ERR_CYCLE_EXPIRED` | its lifetime is over | say so, begin a new one |
 * | `ERR_CYCLE_FINISHED` | it is over already; a step or an end comes too late | show the outcome: `load` has it |
 * | `ERR_CYCLE_STEP` | this step is not next | show the step that is: `error.expected` |
 * | `ERR_CYCLE_STATE` | the schema refuses the state | show the form again with `error.issues` |
 * | `ERR_CYCLE_LIMIT` | too many cycles are open, each with steps taken | let the visitor finish or abandon one: `list` |
 * | `ERR_CYCLE_BUSY` | the final step still runs | ask again after `Retry-After` |
 * | `ERR_CYCLE_REOPENED` | the final step said that nothing happened | show the form again with `error.reason` |
 * | `ERR_CYCLE_FAILED` | the final step failed | look under `error.idempotencyKey` before anything is tried again |
 * | `ERR_CYCLE_IN_DOUBT` | the server that ran the final step died, or its outcome was not recorded | look under `error.idempotencyKey`; then tell the visitor |
 */
export type CycleErrorCode =
  | 'ERR_CYCLE_UNKNOWN'
  | 'ERR_CYCLE_FOREIGN'
  | 'ERR_CYCLE_ENDED'
  | 'ERR_CYCLE_EXPIRED'
  | 'ERR_CYCLE_FINISHED'
  | 'ERR_CYCLE_STEP'
  | 'ERR_CYCLE_STATE'
  | 'ERR_CYCLE_LIMIT'
  | 'ERR_CYCLE_BUSY'
  | 'ERR_CYCLE_REOPENED'
  | 'ERR_CYCLE_FAILED'
  | 'ERR_CYCLE_IN_DOUBT'

const STATUS: Readonly<Record<CycleErrorCode, number>> = {
  ERR_CYCLE_UNKNOWN: 404,
  ERR_CYCLE_FOREIGN: 403,
  ERR_CYCLE_ENDED: 410,
  ERR_CYCLE_EXPIRED: 410,
  ERR_CYCLE_FINISHED: 409,
  ERR_CYCLE_STEP: 409,
  ERR_CYCLE_STATE: 422,
  ERR_CYCLE_LIMIT: 409,
  ERR_CYCLE_BUSY: 503,
  ERR_CYCLE_REOPENED: 409,
  ERR_CYCLE_FAILED: 409,
  ERR_CYCLE_IN_DOUBT: 409,
}

/** One complaint of a schema. */
export interface Issue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export interface CycleErrorDetails {
  readonly idempotencyKey?: string | undefined
  readonly retryAfter?: number | undefined
  readonly expected?: string | undefined
  readonly reason?: string | undefined
  readonly issues?: readonly Issue[] | undefined
  readonly handle?: string | undefined
  readonly cause?: unknown
}

/** An action cycle cannot go on as it was asked to. */
export class CycleError extends HoldfastError {
  readonly code: CycleErrorCode
  /** The HTTP status that fits. */
  readonly status: number
  /** Names the cycle's one effect, the same over all retries; where the effect may have happened. */
  readonly idempotencyKey: string | undefined
  /** The step that is next, for `ERR_CYCLE_STEP`; `undefined`: none but the end. */
  readonly expected: string | undefined
  /** What `reopen` was told, for `ERR_CYCLE_REOPENED`; the name of the error, for `ERR_CYCLE_FAILED`. */
  readonly reason: string | undefined
  /** What the schema says, for `ERR_CYCLE_STATE`. */
  readonly issues: readonly Issue[]

  constructor(code: CycleErrorCode, message: string, details: CycleErrorDetails = {}) {
    const { handle, cause, retryAfter } = details
    super(message, { handle, cause, headers: retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) } })
    this.code = code
    this.status = STATUS[code]
    this.idempotencyKey = details.idempotencyKey
    this.expected = details.expected
    this.reason = details.reason
    this.issues = details.issues ?? []
  }

  /** The same under the name by which Fastify and many an error handler look for it. */
  get statusCode(): number {
    return this.status
  }
}
