/** Carries out a script on one of the two, and writes down all that can be seen of it. */
import type { ServerResponse } from 'node:http'

import type { Done, Tested, TestedRequest, TestedStore } from './implementations.ts'
import type { Script, Step, Visit } from './scripts.ts'
import { cookieFor, Ids, open, record, type Handler } from './site.ts'

/** What was seen of one request, with ids by their order, and times as distances. */
export interface Seen {
  readonly status: number
  readonly body: string
  readonly cookies: readonly string[]
  readonly calls: readonly string[]
  readonly errors: readonly string[]
}

export interface Transcript {
  readonly seen: readonly Seen[]
  /** What the store has at the end. */
  readonly stored: unknown
}

export async function transcriptOf(
  session: Tested,
  { options, cookie, store, failing, visits }: Script,
): Promise<Transcript> {
  const ids = new Ids()
  const calls: string[] = []
  const kept = makeStore(session, store)
  record(kept, (method, id, value) => {
    const content = method === 'set' || method === 'touch' ? ` ${contentOf(value)}` : ''
    calls.push(`${method} ${ids.of(id)}${content}`)
  })
  let at = 0
  failSome(kept, (method) => failing.some((one) => one.visit === at && one.method === method))
  let visit: Visit = { brings: 'none', secure: false, path: '/', steps: [] }
  const handler: Handler = (request, response) => perform(request, response, [...visit.steps], ids)
  await using site = await open(session, { ...options, cookie: { ...cookie }, store: kept }, handler)

  const seen: Seen[] = []
  let own: string | undefined
  let first: string | undefined
  for (const [index, one] of visits.entries()) {
    at = index
    visit = one
    calls.length = 0
    const errors = site.errors.length
    const sent = { own, first, none: undefined, forged: 'connect.sid=s%3Amine.forged', unknown: cookieFor('unknown') }
    const headers: Record<string, string> = visit.secure ? { 'x-forwarded-proto': 'https' } : {}
    const answer = await site.get({ path: visit.path, headers, cookie: sent[visit.brings] })
    // A browser that keeps its cookie whatever happens, so that both are sent the same.
    const line = answer.cookies.find((text) => text.startsWith('connect.sid=s'))
    own = line?.split(';')[0] ?? own
    first ??= own
    seen.push({
      status: answer.status,
      body: answer.body,
      cookies: answer.cookies.map((text) => withoutTime(text, ids)),
      calls: [...calls],
      errors: site.errors.slice(errors),
    })
  }
  return { seen, stored: await everything(kept, ids) }
}

function makeStore(session: Tested, kind: Script['store']): TestedStore {
  const memory = new session.MemoryStore()
  if (kind === 'memory') return memory
  const store = new session.Store()
  const { sessions } = memory
  const plain = {
    sessions,
    get: (id: string, done?: Done) => done?.(null, sessions[id] === undefined ? undefined : JSON.parse(sessions[id])),
    set: (id: string, value: unknown, done?: Done) => {
      sessions[id] = JSON.stringify(value)
      done?.()
    },
    destroy: (id: string, done?: Done) => {
      delete sessions[id]
      done?.()
    },
  }
  const touch = (_id: string, _value: unknown, done?: Done): unknown => done?.()
  return Object.assign(store, plain, kind === 'synchronous' ? { touch } : {})
}

function failSome(store: TestedStore, fails: (method: string) => boolean): void {
  for (const method of ['get', 'set', 'destroy', 'touch'] as const) {
    const call = store[method] as ((...values: unknown[]) => unknown) | undefined
    if (call === undefined) continue
    store[method] = function (this: TestedStore, ...values: unknown[]): unknown {
      const done = values.at(-1)
      if (fails(method) && typeof done === 'function') return (done as Done)(new Error(`${method} failed`))
      return call.apply(this, values)
    }
  }
}

/** Carries out the steps, and answers with what is there then. */
function perform(request: TestedRequest, response: ServerResponse, steps: Step[], ids: Ids): void {
  const step = steps.shift()
  const goOn = (): void => perform(request, response, steps, ids)
  const { session } = request
  if (step === undefined) return finish(request, response, ids)
  switch (step.do) {
    case 'set':
      if (session) session[step.key] = step.value
      return goOn()
    case 'remove':
      if (session) delete session[step.key]
      return goOn()
    case 'age':
      if (session) session.cookie.maxAge = step.maxAge
      return goOn()
    case 'id':
      request.sessionID = step.value
      return goOn()
    case 'null':
      request.session = null
      return goOn()
    case 'delete':
      delete request.session
      return goOn()
    case 'generate':
      request.sessionStore?.generate(request)
      return goOn()
    case 'touch':
      session?.touch()
      return goOn()
    case 'save':
    case 'reload':
    case 'destroy':
    case 'regenerate':
      if (!session) return goOn()
      session[step.do]((error: unknown) => {
        if (error) request.failed = `${request.failed ?? ''} ${step.do}`
        goOn()
      })
      return undefined
    case 'wait':
      setImmediate(goOn)
      return undefined
    case 'header':
      if (!response.headersSent) response.setHeader('Set-Cookie', 'other=1')
      return goOn()
    case 'head':
      if (!response.headersSent) response.writeHead(201, { 'Set-Cookie': ['other=1', 'more=2'] })
      while (steps.length > 0 && !('key' in steps[0]!)) steps.shift()
      return goOn()
    case 'write':
      response.write('early ')
      return goOn()
  }
}

function finish(request: TestedRequest, response: ServerResponse, ids: Ids): void {
  const { session, sessionID } = request
  const { failed = '' } = request
  response.end(
    `${failed} ${typeof sessionID === 'string' ? ids.of(sessionID) : typeof sessionID} ${session ? contentOf(session) : typeof session}`,
  )
}

/** A session as text, with its cookie's times as distances. */
function contentOf(session: unknown): string {
  const copy = JSON.parse(JSON.stringify(session)) as { cookie?: Record<string, unknown> }
  const { cookie, ...members } = copy
  const expires = cookie?.['expires']
  const age = cookie?.['originalMaxAge']
  return JSON.stringify({
    ...members,
    cookie: {
      ...cookie,
      expires: typeof expires === 'string' ? coarse(Date.parse(expires) - Date.now()) : expires,
      originalMaxAge: typeof age === 'number' ? coarse(age) : age,
    },
  })
}

/** Milliseconds, so coarse that it does not matter when each of the two looked at the clock. */
function coarse(milliseconds: number): number {
  return Math.round(milliseconds / 20_000) * 20_000
}

function withoutTime(cookie: string, ids: Ids): string {
  return cookie
    .replace(/=s%3A([^.;]+)\.[^;]+/, (_all, id: string) => `=${ids.of(decodeURIComponent(id))}`)
    .replace(/Expires=([^;]+)/, (_all, date: string) =>
      Date.parse(date) === 0 ? 'Expires=never' : `Expires=${coarse(Date.parse(date) - Date.now())}`,
    )
}

async function everything(store: TestedStore, ids: Ids): Promise<unknown> {
  const { sessions } = store as unknown as { sessions: Record<string, string> }
  await new Promise((resolve) => setImmediate(resolve))
  return Object.fromEntries(Object.entries(sessions).map(([id, text]) => [ids.of(id), contentOf(JSON.parse(text))]))
}
