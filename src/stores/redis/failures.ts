/** What a failure means: whether a write can have arrived, whether waiting can mend it, and what to do about it. */
import { OptionsError, StoreUnavailableError } from '../../errors.ts'
import { ErrorReply, NotSentError } from './link.ts'

/** What a refusal says: somebody else is to be asked, this server does not serve now, or not this command now. */
export type Refusal = 'redirected' | 'not-serving' | 'not-now'

/** Answers with which Redis refuses a command before it does anything, and which pass. */
const PASSING: Readonly<Record<string, Refusal>> = {
  ASK: 'redirected',
  MOVED: 'redirected',
  LOADING: 'not-serving',
  MASTERDOWN: 'not-serving',
  READONLY: 'not-serving',
  BUSY: 'not-now',
  CLUSTERDOWN: 'not-now',
  NOREPLICAS: 'not-now',
  TRYAGAIN: 'not-now',
}

/** The others with which Redis refuses a command before it does anything. */
const LASTING: ReadonlySet<string> = new Set([
  'MISCONF',
  'NOAUTH',
  'NOPERM',
  'NOSCRIPT',
  'OOM',
  'WRONGPASS',
  'WRONGTYPE',
])

const UNKNOWN_COMMAND = 'ERR unknown command'

/** A right that is missing inside a script, as Redis 7.0 and its successors say it. What the script did before, it did. */
const REFUSED_IN_SCRIPT = /^ERR (ACL failure in script|The user executing the script can't)/

const TLS_FAILURES: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** What the server says of our side of TLS: of a certificate that is missing, or that it does not know. */
const TLS_ALERT = /^ERR_SSL_\w*_ALERT_\w*(CERTIFICATE|CA|HANDSHAKE|PROTOCOL)/

/** A full server is not mended within the second. */
const RETRY_AFTER_FULL = 5

/** A failure that says itself what is to be done: no waiting mends it. */
export class HopelessError extends Error {
  override readonly name = 'HopelessError'
  readonly advice: string

  constructor(message: string, advice: string, cause?: Error) {
    super(message, cause === undefined ? undefined : { cause })
    this.advice = advice
  }
}

/** What a refusal that passes asks for; `undefined` for every other failure. */
export function refusalOf(failure: Error): Refusal | undefined {
  return failure instanceof ErrorReply && Object.hasOwn(PASSING, failure.code) ? PASSING[failure.code] : undefined
}

/** The store's error for a command that failed. `write`: whether it would have changed something. */
export function unavailable(where: string, failure: Error, write: boolean): StoreUnavailableError {
  const applied = write && !wasNotApplied(failure) ? 'unknown' : 'no'
  const retryAfter = failure instanceof ErrorReply && failure.code === 'OOM' ? RETRY_AFTER_FULL : 1
  const advice = failure instanceof ErrorReply ? replyAdvice(failure) : undefined
  const why = advice === undefined ? failure.message : `${failure.message} ${advice}`
  return new StoreUnavailableError(`Redis at ${where} failed: ${why}`, {
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
  if (failure instanceof HopelessError) return failure.advice
  if (failure instanceof ErrorReply) return replyAdvice(failure)
  if (failure instanceof NotSentError && failure.cause instanceof Error) return adviceFor(failure.cause)
  const code = 'code' in failure ? String(failure.code) : ''
  return TLS_FAILURES.has(code) || TLS_ALERT.test(code)
    ? '(Check rediss: or redis: in the URL, and the option tls.)'
    : undefined
}

/** Whether it is about who we are: with passwords that change, another attempt may be let in. */
export function isAboutCredentials(failure: Error): boolean {
  if (!(failure instanceof ErrorReply)) return false
  return (
    failure.code === 'WRONGPASS' || failure.code === 'NOAUTH' || /^ERR (invalid password|AUTH )/.test(failure.message)
  )
}

/** Whether a write that ended so has certainly changed nothing. */
export function wasNotApplied(failure: Error): boolean {
  if (failure instanceof NotSentError) return true
  if (!(failure instanceof ErrorReply)) return false
  return (
    Object.hasOwn(PASSING, failure.code) || LASTING.has(failure.code) || failure.message.startsWith(UNKNOWN_COMMAND)
  )
}

function replyAdvice({ code, message }: ErrorReply): string | undefined {
  if (code === 'WRONGPASS' || /^ERR (invalid password|AUTH )/.test(message))
    return '(Check user and password in the URL.)'
  if (code === 'NOAUTH') return '(The URL needs a password.)'
  if (code === 'NOPERM' || message.startsWith(UNKNOWN_COMMAND) || REFUSED_IN_SCRIPT.test(message))
    return '(The user of the URL must be allowed what the store does.)'
  if (message.startsWith('ERR This instance has cluster support disabled'))
    return '(The server is no node of a cluster: begin the URL with redis:, not redis+cluster:.)'
  if (code === 'MOVED') return '(The server is a node of a cluster: begin the URL with redis+cluster: then.)'
  if (/^ERR .*DB index/i.test(message)) return '(Check the database number at the end of the URL.)'
  if (/^ERR SELECT is not allowed in cluster mode/i.test(message))
    return '(A cluster has no database numbers: leave it out of the URL.)'
  if (/compiling script|script flag/i.test(message)) return '(The store needs Redis 7.0 or later, or Valkey.)'
  return undefined
}
