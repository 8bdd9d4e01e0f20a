/** What a failure means: whether a write can have arrived, and whether waiting can mend it. */
import { OptionsError, StoreUnavailableError } from '../../errors.ts'
import { ErrorReply, NotSentError } from './client.ts'

/** Answers with which Redis refuses a command before it does anything. */
const REFUSALS: ReadonlySet<string> = new Set([
  'ASK',
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'MOVED',
  'NOAUTH',
  'NOPERM',
  'NOREPLICAS',
  'NOSCRIPT',
  'OOM',
  'READONLY',
  'TRYAGAIN',
  'WRONGPASS',
  'WRONGTYPE',
])

const UNKNOWN_COMMAND = 'ERR unknown command'

const TLS_FAILURES: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** A full server is not mended within the second. */
const RETRY_AFTER_FULL = 5

/** The store's error for a command that failed. `write`: whether it would have changed something. */
export function unavailable(where: string, failure: Error, write: boolean): StoreUnavailableError {
  const applied = write && !wasNotApplied(failure) ? 'unknown' : 'no'
  const retryAfter = failure instanceof ErrorReply && failure.code === 'OOM' ? RETRY_AFTER_FULL : 1
  return new StoreUnavailableError(`Redis at ${where} failed: ${failure.message}`, {
    applied,
    retryAfter,
    cause: failure,
  })
}

/** The error that `open` ends with: an `OptionsError` for what no waiting mends. */
export function openingFailure(where: string, error: unknown): unknown {
  const cause = error instanceof StoreUnavailableError ? error.cause : undefined
  const advice = cause instanceof Error ? adviceFor(cause) : undefined
  if (cause instanceof Error && advice !== undefined)
    return new OptionsError('store', `Redis at ${where}: ${cause.message} ${advice}`, { cause })
  return error
}

/** What to do about a failure that no waiting mends; `undefined` for all others. */
export function adviceFor(failure: Error): string | undefined {
  if (failure instanceof ErrorReply) return replyAdvice(failure)
  if (failure instanceof NotSentError && failure.cause instanceof Error) return adviceFor(failure.cause)
  const code = 'code' in failure ? String(failure.code) : ''
  return TLS_FAILURES.has(code) ? '(Check rediss: or redis: in the URL, and the option tls.)' : undefined
}

function replyAdvice({ code, message }: ErrorReply): string | undefined {
  if (code === 'WRONGPASS' || /^ERR (invalid password|AUTH )/.test(message))
    return '(Check user and password in the URL.)'
  if (code === 'NOAUTH') return '(The URL needs a password.)'
  if (code === 'NOPERM' || message.startsWith(UNKNOWN_COMMAND))
    return '(The user of the URL must be allowed what the store does.)'
  if (/^ERR .*DB index/i.test(message)) return '(Check the database number at the end of the URL.)'
  if (/compiling script|script flag/i.test(message)) return '(The store needs Redis 7.0 or later, or Valkey.)'
  return undefined
}

function wasNotApplied(failure: Error): boolean {
  if (failure instanceof NotSentError) return true
  return failure instanceof ErrorReply && (REFUSALS.has(failure.code) || failure.message.startsWith(UNKNOWN_COMMAND))
}
