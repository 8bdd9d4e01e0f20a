/**
 * Callbacks: pages of another site that post to us (OAuth `form_post`, SAML, 3-D Secure). `SameSite=Lax` withholds
 * our cookies from such a request, so it is not handled: it is answered with a page that submits the same fields to
 * the same address from our own origin.
 */
import { createHash } from 'node:crypto'

import { headerOf, type RequestFacts } from '../core/request.ts'
import type { Settings } from '../core/options.ts'
import type { Callback } from '../types.ts'
import { escapeHtml } from './field.ts'
import { isSameOrigin, normaliseOrigin } from './origin.ts'
import { TOKEN_FIELD } from './presented.ts'

/** Whom callbacks are declared by, as far as they go by it. */
export type CallbackSettings = Pick<Settings, 'callbacks' | 'origin' | 'trustedOrigins' | 'trustProxy'>

/** The token that the page sends in the place of one: it says that a callback has been passed on already. */
export const RESUBMITTED = 'resubmitted'

/**
 * The callback that this request is: another site's page sent it, method and path are exactly the declared ones, and the
 * origin is on the callback's list. Answer it with `resubmissionPage` before any work on the session.
 *
 * A page of our own never matches, so the page cannot lead to itself: its request is `same-origin`, or its `Origin` is
 * ours, or names the host that it reached. Where neither can be seen (in a sandboxed frame), its token says so.
 */
export function matchCallback(facts: RequestFacts, settings: CallbackSettings): Callback | undefined {
  const { callbacks, origin: own, trustedOrigins: trusted, trustProxy } = settings
  if (callbacks.length === 0 || facts.upgrade === true || declaredCallback(facts, callbacks) === undefined)
    return undefined
  const said = headerOf(facts, 'sec-fetch-site')
  const origin = headerOf(facts, 'origin')
  if (said === 'none' || (said !== 'cross-site' && origin === undefined)) return undefined
  if (isSameOrigin(facts, { own, trusted, trustProxy }) || isThisHost(origin ?? '', facts)) return undefined
  return callbacks.find((callback) => declares(callback, facts) && allows(callback, origin))
}

/** The callback declared for this method and path, whatever the request's origin: its resubmission has no token. */
export function declaredCallback(facts: RequestFacts, callbacks: readonly Callback[]): Callback | undefined {
  return callbacks.find((callback) => declares(callback, facts))
}

function declares(callback: Callback, facts: RequestFacts): boolean {
  return callback.method === facts.method && callback.path === facts.path
}

function allows({ origins }: Callback, origin: string | undefined): boolean {
  if (origins.includes('*')) return true
  const normal = origin === 'null' ? origin : normaliseOrigin(origin ?? '')
  return normal !== undefined && origins.some((listed) => listed === normal || normaliseOrigin(listed) === normal)
}

function isThisHost(origin: string, facts: RequestFacts): boolean {
  const normal = normaliseOrigin(origin)
  const host = headerOf(facts, 'host') ?? headerOf(facts, ':authority') ?? ''
  return normal !== undefined && normaliseOrigin(`${normal.slice(0, normal.indexOf(':'))}://${host}`) === normal
}

// The prototype's method, because a field named `submit` hides the form's own.
const SCRIPT = 'HTMLFormElement.prototype.submit.call(document.forms[0])'
const STYLE =
  ':root{color-scheme:light dark}body{font:1.125rem/1.5 system-ui,sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.5rem 1.25rem}'

/**
 * The page's Content-Security-Policy. No `form-action`: browsers apply it to redirects too, and the application may
 * well answer a callback with a redirect to another origin. Framed by our own pages only, as 3-D Secure needs it.
 */
export const RESUBMISSION_CSP: string = [
  "default-src 'none'",
  `script-src '${hashOf(SCRIPT)}'`,
  `style-src '${hashOf(STYLE)}'`,
  "base-uri 'none'",
  "frame-ancestors 'self'",
].join('; ')

/** All headers to send with the page, over any that the application set; the status is 200. */
export const RESUBMISSION_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': RESUBMISSION_CSP,
  'cache-control': 'no-store',
  // With `no-referrer`, which helmet sets, browsers without Fetch Metadata would send `Origin: null`.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  vary: 'Sec-Fetch-Site, Origin',
}

/**
 * A page that submits the fields again by POST, by itself or, without JavaScript, by a button; the field of our token
 * excepted, which is nobody else's. `url`: path and query of the request. Anything but a path on this host is left out;
 * the form then goes to the page's own address.
 */
export function resubmissionPage(url: string, fields: readonly (readonly [string, string])[]): string {
  const action = isOwnPath(url) ? ` action="${escapeHtml(url)}"` : ''
  const others = fields.filter(([name]) => name !== TOKEN_FIELD)
  const inputs = [...others, [TOKEN_FIELD, RESUBMITTED] as const].map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  )
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>One moment</title>
<style>${STYLE}</style>
<main>
<h1>One moment</h1>
<p>You are being taken back. If nothing happens, press the button.</p>
<form method="post"${action} accept-charset="utf-8">
${inputs.join('\n')}
<button>Continue</button>
</form>
</main>
<script>${SCRIPT}</script>
</html>
`
}

/** A URL parser drops tabs and newlines and reads `\` as `/`, so `//`, `/\` and `/<tab>/` all name another host. */
function isOwnPath(url: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return /^\/(?![/\\])[^\u0000-\u0020\u007f]*$/.test(url)
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
