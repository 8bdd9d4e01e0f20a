/** The CSRF check of one request: what it brought is weighed, counted and told, and what is refused is thrown. */
import type { Identity } from '../core/identity.ts'
import type { Presented } from '../core/presented.ts'
import { headerOf, type RequestFacts } from '../core/request.ts'
import type { Services } from '../core/services.ts'
import { CsrfError, type CsrfReason, type StoreUnavailableError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import { declaredCallback, RESUBMITTED } from './callback.ts'
import { isSameOrigin, judgeOrigin, type Evidence, type OriginVerdict, type Site } from './origin.ts'
import { presentedToken } from './presented.ts'
import { REASONS } from './reasons.ts'
import { judgeToken } from './token.ts'
import { csrfVerdict, type CsrfVerdict, type TokenState } from './verdict.ts'

/** Who sent the request, as far as the check asks. */
export interface Caller {
  readonly presented: Presented
  readonly identity: Identity
  /** Why nothing is known of the session: then nobody can tell whether a token is good. */
  readonly unread: StoreUnavailableError | undefined
  /** Makes a new token for the caller; `undefined` where it is too late for the cookie that it needs. */
  readonly token: () => string | undefined
}

/** Reasons for which the same request, sent again with a new token in its header, does what the visitor meant. Not where somebody else is signed in by now. */
const MENDED_BY_TOKEN: ReadonlySet<CsrfReason> = new Set([
  'token-missing',
  'token-stale',
  'token-forged',
  'body-not-parsed',
])

/** The longest part of a foreign header that is told, in characters. */
const TOLD_MOST = 200

export class CsrfCheck {
  readonly #services: Services
  readonly #facts: RequestFacts
  readonly #caller: Caller
  readonly #site: Site

  constructor(services: Services, facts: RequestFacts, caller: Caller) {
    const { origin, trustedOrigins, trustProxy } = services.settings
    this.#services = services
    this.#facts = facts
    this.#caller = caller
    this.#site = { own: origin, trusted: trustedOrigins, trustProxy }
  }

  /** What the headers alone say. */
  get evidence(): Evidence {
    return judgeOrigin(this.#facts, this.#site).evidence
  }

  /** Throws `CsrfError`, or what the store threw where that leaves the token unjudged. `true`: the request passed as a stranger's, without evidence. */
  make(body: unknown): boolean {
    const judged = judgeOrigin(this.#facts, this.#site)
    if (judged.evidence === 'safe') return false
    const verdict = this.#verdict(judged.evidence, body)
    if (!verdict.pass && judged.evidence !== 'refused' && this.#caller.unread !== undefined) throw this.#caller.unread
    this.#services.counters.csrf.count(verdict, judged.odd)
    this.#tell(verdict, judged)
    if (!verdict.pass) throw this.#refusal(verdict.reason)
    return verdict.unproven === true
  }

  /** A sign-in from a request that passed as a stranger's: it would put the visitor into somebody else's account. Throws but in report mode. */
  refuseSignIn(): void {
    this.#foundLater(
      'no-evidence',
      'A request that shows neither its origin nor a CSRF token cannot sign in: send a token with it.',
    )
  }

  /** The check was left for later, and nobody made it. Throws but in report mode. */
  refuseForgotten(): void {
    const where = `${this.#facts.method} ${this.#facts.path}`
    const message = `${where} was to be checked later and never was: call csrf() (in Express) or verifyCsrf() after its parser. Nothing was saved.`
    this.#services.settings.log.error({ code: 'ERR_CSRF', reason: 'body-not-parsed' }, message)
    this.#foundLater('body-not-parsed', message)
  }

  #foundLater(reason: CsrfReason, message: string): void {
    const verdict: CsrfVerdict =
      this.#services.settings.csrf === 'report' ? { pass: true, count: reason, under: 'auto' } : { pass: false, reason }
    this.#services.counters.csrf.again(verdict)
    this.#tell(verdict)
    if (!verdict.pass) throw new CsrfError(reason, message, { handle: this.#caller.identity.handle })
  }

  #verdict(evidence: Evidence, body: unknown): CsrfVerdict {
    const { settings } = this.#services
    const { presented, identity } = this.#caller
    const { sid, gid, visit } = presented.ids
    const callback = declaredCallback(this.#facts, settings.callbacks) !== undefined
    return csrfVerdict({
      mode: settings.csrf,
      evidence,
      token: this.#tokenState(body, callback),
      ours: presented.unknownKey || sid.length + gid.length + visit.length > 0,
      signedIn: identity.holding?.record.userId !== undefined,
      callback,
      ended: identity.status === 'lapsed',
      upgrade: this.#facts.upgrade,
    })
  }

  #tokenState(body: unknown, callback: boolean): TokenState {
    const { token, unparsed } = presentedToken(this.#facts, body)
    if (callback && token === RESUBMITTED) return 'missing'
    if (token === undefined) return unparsed ? 'unparsed' : 'missing'
    const { identity, unread } = this.#caller
    const judged = judgeToken(this.#services.keyring, token, identity.lineage(), this.#facts.path)
    return unread !== undefined && judged !== 'forged' ? 'missing' : judged
  }

  #tell(verdict: CsrfVerdict, judged?: OriginVerdict): void {
    const reason = verdict.pass ? verdict.count : verdict.reason
    const odd = judged?.odd === true
    if ((reason === undefined && !odd) || !channels.csrf.hasSubscribers) return
    const { method, path } = this.#facts
    channels.csrf.publish({
      reason,
      mode: this.#services.settings.csrf,
      under: verdict.pass ? verdict.under : undefined,
      passed: verdict.pass,
      odd,
      method,
      path,
      origin: headerOf(this.#facts, 'origin')?.slice(0, TOLD_MOST),
      site: headerOf(this.#facts, 'sec-fetch-site')?.slice(0, TOLD_MOST),
    })
  }

  /** With a new token, to be asked for, where a page of our own origin can try again with it. */
  #refusal(reason: CsrfReason): CsrfError {
    const { identity, token } = this.#caller
    const mended = MENDED_BY_TOKEN.has(reason) && isSameOrigin(this.#facts, this.#site)
    return new CsrfError(reason, REASONS[reason].developer, {
      handle: identity.handle,
      fresh: mended ? token : undefined,
    })
  }
}
