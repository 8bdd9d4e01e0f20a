/**
 * `holdfast/browser`: the CSRF token for the page's own scripts and forms. One file without imports: it can be served as it
 * is, and needs no build.
 *
 * ```ts
 * import { csrf } from 'holdfast/browser'
 *
 * const { fetch, forms } = csrf() // the token stands in <meta name="csrf-token" content="…">
 * forms()
 * await fetch('/cart', { method: 'POST', body: JSON.stringify(item) })
 * addEventListener('holdfast:session-ended', () => location.assign('/sign-in'))
 * ```
 */

/** What is used of a form; every `HTMLFormElement` has it. */
export interface FormLike {
  getAttribute(name: string): string | null
  querySelector(selectors: string): unknown
  append(...nodes: never[]): void
}

/** What is used of the button that submits a form. */
export interface SubmitterLike {
  getAttribute(name: string): string | null
}

export interface CsrfOptions {
  /** Where the page has its token. Default: the content of `<meta name="csrf-token">`. */
  readonly token?: (() => string | undefined) | undefined
  /** What sends the requests. Default: the page's own `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** Why the session is over, as the server says it: `detail` of the event `holdfast:session-ended`. */
export interface SessionEnded {
  readonly reason: string | undefined
}

export interface Csrf {
  /**
   * The page's `fetch`, with the token in the header `x-csrf-token` where a request goes to the own origin and may change
   * something; other requests are left alone. A refusal that brings a new token is tried again with it, once, unless the
   * body is a stream, which is gone by then. What carries a token follows no redirect to another origin.
   */
  readonly fetch: typeof globalThis.fetch
  /** The newest token that is known. */
  token(): string | undefined
  /** Gives a form that is posted to the own origin its field, where it has none with a token in it. */
  field(form: FormLike, submitter?: SubmitterLike | null): void
  /** Does so with every form of the page that is submitted from now on. Answers what stops it. */
  forms(): () => void
}

interface Field {
  type: string
  name: string
  value: string
}

interface Page {
  readonly location: { readonly origin: string; readonly href: string }
  readonly document: {
    readonly baseURI: string
    createElement(name: 'input'): Field
    querySelector(selectors: string): { readonly content: string } | null
    addEventListener(type: 'submit', listener: Listener, capture: true): void
    removeEventListener(type: 'submit', listener: Listener, capture: true): void
  }
  dispatchEvent(event: CustomEvent<SessionEnded>): boolean
}
type Listener = (event: { readonly target: FormLike; readonly submitter?: SubmitterLike | null }) => void

/** What our servers say when they refuse. */
interface Problem {
  readonly code?: string
  readonly reason?: string
  readonly token?: unknown
}

const HEADER = 'x-csrf-token'
const FIELD = '_csrf'

const page = globalThis as unknown as Page

/** Takes the page's token in hand. Does nothing by itself. */
export function csrf(options: CsrfOptions = {}): Csrf {
  const { token: read = fromMeta, fetch: send = globalThis.fetch.bind(globalThis) } = options
  /** What a refusal brought, and what it takes the place of: a page that changes its own token means another. */
  let newer: { readonly old: string | undefined; readonly token: string } | undefined
  /** Fields that hold what this page knows, and not what the server put into a form. */
  const filled = new WeakSet<Field>()

  function token(): string | undefined {
    const found = read()
    return newer !== undefined && newer.old === found ? newer.token : found
  }

  /** Whether the answer says that the same request may be sent again. */
  async function learn(answer: Response): Promise<boolean> {
    const { code, reason, token: fresh } = await problemOf(answer)
    if (code === 'ERR_SESSION_ENDED' || reason === 'session-ended')
      page.dispatchEvent(new CustomEvent('holdfast:session-ended', { detail: { reason } }))
    if (code !== 'ERR_CSRF' || typeof fresh !== 'string') return false
    newer = { old: read(), token: fresh }
    return true
  }

  const guarded: typeof globalThis.fetch = async (input, init) => {
    const request = input instanceof Request ? input : undefined
    if (!isOwn(input instanceof Request ? input.url : input)) return send(input, init)
    const headers = new Headers(init?.headers ?? request?.headers)
    const theirs = headers.has(HEADER)
    const reads = /^(?:get|head|options|trace)$/i.test(init?.method ?? request?.method ?? 'get')
    const attempt = (): Promise<Response> => {
      const known = token()
      if (reads || theirs) return send(input, init)
      if (known !== undefined) headers.set(HEADER, known)
      return send(input, { ...init, headers, mode: 'same-origin' })
    }
    const answer = await attempt()
    const again = (await learn(answer)) && !reads && !theirs && isWhole(init?.body, request)
    if (!again) return answer
    const second = await attempt()
    await learn(second)
    return second
  }

  function field(form: FormLike, submitter?: SubmitterLike | null): void {
    const said = (name: string): string => submitter?.getAttribute(`form${name}`) ?? form.getAttribute(name) ?? ''
    const there = form.querySelector(`[name=${FIELD}]`) as Field | null
    const empty = there === null || there.value === '' || filled.has(there)
    if (!empty) return
    const own = /^post$/i.test(said('method')) && isOwn(said('action') || page.location.href)
    const value = (own && token()) || ''
    if (there === null && value === '') return
    const input = there ?? page.document.createElement('input')
    Object.assign(input, { type: 'hidden', name: FIELD, value })
    if (there === null) form.append(input as never)
    filled.add(input)
  }

  const listener: Listener = ({ target, submitter }) => field(target, submitter)
  return {
    fetch: guarded,
    token,
    field,
    forms() {
      page.document.addEventListener('submit', listener, true)
      return () => page.document.removeEventListener('submit', listener, true)
    },
  }
}

function fromMeta(): string | undefined {
  return page.document.querySelector('meta[name=csrf-token]')?.content || undefined
}

function isOwn(address: string | URL): boolean {
  try {
    return new URL(address, page.document.baseURI).origin === page.location.origin
  } catch {
    return false
  }
}

/** Whether the body can be sent a second time: a request's own cannot be seen, and a stream is gone. */
function isWhole(body: unknown, request: Request | undefined): boolean {
  return body === undefined || body === null
    ? request === undefined || request.body === null
    : !('getReader' in Object(body))
}

async function problemOf(answer: Response): Promise<Problem> {
  const refused = answer.status === 403 || answer.status === 401
  if (!refused || answer.headers.get('content-type')?.startsWith('application/problem+json') !== true) return {}
  return (await answer
    .clone()
    .json()
    .catch(() => ({}))) as Problem
}
