/** The verdict: what the headers and the token show, weighed by the mode. `docs/csrf.md` has it as a table. */
import type { CsrfReason } from '../errors.ts'
import type { CsrfMode } from '../types.ts'
import type { Evidence } from './origin.ts'
import type { TokenVerdict } from './token.ts'

/** What is known of a request's token: nothing came, nothing could be seen, or what `judgeToken` says. */
export type TokenState = TokenVerdict | 'missing' | 'unparsed'

export interface VerdictInput {
  readonly mode: CsrfMode
  readonly evidence: Evidence
  readonly token: TokenState
  /** Whether a cookie of ours came along: authority that another site may be using. */
  readonly ours: boolean
  readonly signedIn: boolean
  /**
   * Whether method and path are declared as a callback (`declaredCallback`). In `strict` mode it spares the token, which the
   * other site's fields cannot have. It never lets a cross-site request through: that one is answered with the resubmission page.
   */
  readonly callback: boolean
  /** Whether the session that the cookie named is over. */
  readonly ended: boolean
  /** Whether another protocol is asked for: only a proven origin passes then, in every mode. */
  readonly upgrade?: boolean | undefined
}

/**
 * `count`: passed, but to be counted under this reason. `under`: in report mode, the mildest mode that would have refused.
 * `unproven`: passed as a visitor without evidence; to sign in from such a request needs a token or an exemption, and is
 * reported in report mode.
 */
export type CsrfVerdict =
  | {
      readonly pass: true
      readonly count?: CsrfReason
      readonly under?: 'auto' | 'strict'
      readonly unproven?: boolean
    }
  | { readonly pass: false; readonly reason: CsrfReason }

const PASS: CsrfVerdict = { pass: true }

/** Judges one request. */
export function csrfVerdict(input: VerdictInput): CsrfVerdict {
  if (input.evidence === 'safe') return PASS
  if (input.upgrade === true) return input.evidence === 'proven' ? PASS : refuse('origin-refused')
  if (input.mode === 'auto') return auto(input)
  return input.mode === 'strict' ? strict(input) : report(input)
}

function auto(input: VerdictInput): CsrfVerdict {
  if (input.evidence === 'refused') return refuse('origin-refused')
  if (input.token === 'valid') return PASS
  const brought = input.token !== 'missing' && input.token !== 'unparsed'
  if (input.evidence === 'proven') {
    if (!brought) return PASS
    return input.token === 'stale' ? { pass: true, count: 'token-stale' } : refuse(reasonOf(input))
  }
  // Nothing of ours rides along, so there is no authority to abuse: webhooks, curl, mobile clients.
  if (!input.ours)
    return brought ? { pass: true, unproven: true, count: reasonOf(input) } : { pass: true, unproven: true }
  return refuse(reasonOf(input))
}

function strict(input: VerdictInput): CsrfVerdict {
  if (input.evidence === 'refused') return refuse('origin-refused')
  if (input.token === 'valid') return PASS
  if (input.callback && input.evidence === 'proven') return auto(input)
  return refuse(reasonOf(input))
}

function report(input: VerdictInput): CsrfVerdict {
  const mild = auto(input)
  if (!mild.pass) return { pass: true, count: mild.reason, under: 'auto' }
  const hard = strict(input)
  const unproven = mild.unproven === true ? { unproven: true } : {}
  return hard.pass ? PASS : { pass: true, count: hard.reason, under: 'strict', ...unproven }
}

function refuse(reason: CsrfReason): CsrfVerdict {
  return { pass: false, reason }
}

/** Why the token of this request does not do. */
function reasonOf({ token, signedIn, ended }: VerdictInput): CsrfReason {
  if (token === 'missing') return 'token-missing'
  if (token === 'unparsed') return 'body-not-parsed'
  if (token === 'stale') return ended ? 'session-ended' : 'token-stale'
  if (token === 'other-session') return signedIn ? 'token-other-session' : 'session-ended'
  return token === 'wrong-path' ? 'wrong-path' : 'token-forged'
}
