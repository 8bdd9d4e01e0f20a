/** Pages of somebody else, and what they can do to a shop whose visitor opens them. */
import { openSite, type Scheme, type Site } from './outside.ts'

interface Act {
  /**
   * What the page runs. `at(path)` is an address of the shop that names the act, `token` a genuine one of the attacker's
   * own; `form` posts into a frame, or with `ownWindow` into a window.
   */
  readonly script: string
  /** The Referrer-Policy of the page. */
  readonly policy?: string
  /** A sign-in that succeeds ends the session that others attack. */
  readonly signsIn?: boolean
  /**
   * Why it does nothing where the shop checks nothing. `'by reading only'`: it tries no more than that. `'by asking'`:
   * browsers ask before they send such a request, and a shop without CORS does not say yes. `'in every mode'`: the check
   * has no mode without it.
   */
  readonly heldBack?: 'by reading only' | 'by asking' | 'in every mode'
}

export const ACTS: Readonly<Record<string, Act>> = {
  'a form': { script: `form(at('/transfer'), { to: 'evil' }, ownWindow)` },
  'a form in a frame': { script: `form(at('/transfer'), { to: 'evil' })` },
  'a form that hides its origin': { script: `form(at('/transfer'), { to: 'evil' }, ownWindow)`, policy: 'no-referrer' },
  'a form with files': { script: `form(at('/upload'), { to: 'evil' }, { enctype: 'multipart/form-data' })` },
  'a form that looks like JSON': { script: `form(at('/api'), { '{"to":"evil","a': '"}' }, { enctype: 'text/plain' })` },
  'a form that overrides its method': { script: `form(at('/transfer'), { _method: 'DELETE' })` },
  'a form by GET that overrides its method': {
    script: `form(at('/transfer'), { _method: 'POST', act }, { ...ownWindow, method: 'get' })`,
  },
  'a form with a genuine token of somebody else': { script: `form(at('/transfer'), { _csrf: token })` },
  'a form that is passed on by a redirect': {
    script: `form('/bounce?to=' + encodeURIComponent(at('/transfer')), { to: 'evil' })`,
  },
  'a form of a sign-in': { script: `form(at('/login'), { user: 'attacker' }, ownWindow)`, signsIn: true },
  'a form of a sign-in with a genuine token of somebody else': {
    script: `form(at('/login'), { user: 'attacker', _csrf: token }, ownWindow)`,
    signsIn: true,
  },
  'a link that overrides its method': { script: `open(at('/transfer') + '&_method=DELETE')` },
  'an image that overrides its method': { script: `new Image().src = at('/transfer') + '&_method=POST'` },
  'a form in a frame without an origin': {
    script: `
      const frame = Object.assign(document.createElement('iframe'), { sandbox: 'allow-scripts allow-forms' })
      frame.srcdoc = '<form method="post" action="' + at('/transfer') + '"><input name="to" value="evil"></form>'
        + '<script>document.forms[0].submit()</' + 'script>'
      document.body.append(frame)`,
  },
  'a fetch in a frame without an origin': {
    script: `
      const frame = Object.assign(document.createElement('iframe'), { sandbox: 'allow-scripts' })
      frame.srcdoc = '<script>fetch("' + at('/transfer')
        + '", { method: "POST", mode: "no-cors", credentials: "include", body: "a=1" })</' + 'script>'
      document.body.append(frame)`,
  },
  'a fetch without CORS': {
    script: `await fetch(at('/transfer'), { ...post, mode: 'no-cors', body: new URLSearchParams({ to: 'evil' }) })`,
  },
  'a fetch without CORS that hides its origin': {
    script: `await fetch(at('/transfer'), { ...post, mode: 'no-cors', referrerPolicy: 'no-referrer', body: 'to=evil' })`,
  },
  'a fetch that reads the answer': {
    script: `loot.push(await (await fetch(at('/transfer'), { ...post, body: 'a' })).text())`,
  },
  'a fetch that reads the page': {
    script: `loot.push(await (await fetch(at('/'), { credentials: 'include' })).text())`,
    heldBack: 'by reading only',
  },
  'a fetch with JSON': {
    script: `await fetch(at('/api'), { ...post, headers: { 'content-type': 'application/json' }, body: '{}' })`,
    heldBack: 'by asking',
  },
  'a fetch with a genuine token of somebody else': {
    script: `await fetch(at('/transfer'), { ...post, headers: { 'x-csrf-token': token }, body: 'a' })`,
    heldBack: 'by asking',
  },
  'a fetch with DELETE': {
    script: `await fetch(at('/transfer'), { ...post, method: 'DELETE' })`,
    heldBack: 'by asking',
  },
  'a beacon': { script: `navigator.sendBeacon(at('/transfer'), new URLSearchParams({ to: 'evil' }))` },
  'a WebSocket': {
    script: `
      const socket = new WebSocket(at('/live').replace('http', 'ws'))
      await new Promise((over) => (socket.onclose = over))`,
    heldBack: 'in every mode',
  },
}

/** A server of pages that attack. */
export function openAttacker(scheme: Scheme, host: string): Promise<Site> {
  return openSite(scheme, host, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://attacker')
    if (pathname === '/bounce') return void response.writeHead(307, { location: searchParams.get('to') ?? '' }).end()
    const policy = searchParams.get('policy') ?? undefined
    if (policy !== undefined) response.setHeader('referrer-policy', policy)
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(pageOf(policy))
  })
}

/**
 * The address of the page that does all these acts. The shop knows each by its name with `where` before it. The page's
 * `over` answers, in the end, what it could read of the shop's answers.
 */
export function attackOn(shop: string, from: Site, where: string, token: string, acts: readonly string[]): string {
  return `${from.origin}/?${new URLSearchParams({ shop, where, token, acts: acts.join() }).toString()}`
}

/** Does the acts of this policy at once; the one without a policy opens the others. */
function pageOf(policy: string | undefined): string {
  const acts = Object.entries(ACTS).filter(([, act]) => act.policy === policy)
  const others = policy === undefined ? new Set(Object.values(ACTS).flatMap((act) => act.policy ?? [])) : []
  return `<!doctype html><meta charset="utf-8"><title>attacks</title><body><script>
const asked = new URL(location.href).searchParams
const token = asked.get('token')
const post = { method: 'POST', credentials: 'include' }
const loot = []
const ownWindow = { target: '_blank', rel: 'opener' }
let made = 0
function inFrame() {
  const frame = Object.assign(document.createElement('iframe'), { name: 'frame ' + made++ })
  document.body.append(frame)
  return frame.name
}
function form(action, fields, { target = inFrame(), ...how } = {}) {
  const sent = Object.assign(document.createElement('form'), { action, method: 'post', target, ...how })
  for (const [name, value] of Object.entries(fields)) sent.append(Object.assign(document.createElement('input'), { name, value }))
  document.body.append(sent)
  sent.submit()
}
const acts = {
${acts.map(([name, { script }]) => `${JSON.stringify(name)}: async (act, at) => {${script}\n},`).join('\n')}
}
for (const policy of ${JSON.stringify([...others])}) {
  const address = new URL(location.href)
  address.searchParams.set('policy', policy)
  open(address)
}
const run = (name) => {
  const act = asked.get('where') + ': ' + name
  return acts[name](act, (path) => asked.get('shop') + path + '?' + new URLSearchParams({ act }))
}
const wanted = asked.get('acts').split(',')
const over = Promise.allSettled(Object.keys(acts).filter((name) => wanted.includes(name)).map(run)).then(() => loot)
</script>`
}
