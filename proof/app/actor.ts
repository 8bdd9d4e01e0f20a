/** The application of the races: one set of routes over whatever keeps its sessions, so that all are asked the same. */

/** What the application keeps in a session. */
export interface Bag {
  keys?: Record<string, true>
  count?: number
  items?: string[]
  last?: string
}

/** A visitor as the application deals with them. */
export interface Actor {
  readonly user: string | undefined
  readonly handle: string | undefined
  readonly status: string | undefined
  /** The session's data; changes are saved with the answer. */
  bag(): Bag
  /** The exact read-modify-write, where there is one; else a plain change. */
  update(change: (bag: Bag) => void): Promise<void>
  signIn(user: string): Promise<void>
  /** Answers whether the end is as durable as it can be, where that is known. */
  signOut(everywhere?: boolean): Promise<boolean | undefined>
  /** A new id for the same data. */
  renew(): Promise<void>
  /** A CSRF token for a form. */
  token(): string
  /** Whether the submitted token is good. Where a library checks before the handler runs, `true`. */
  checks(token: string | undefined): boolean
  /** How many live sessions the user has, where that can be asked. */
  sessionsOf(user: string): Promise<number | undefined>
  /** Ends every session of the user, where that can be done. */
  revokeUser(user: string): Promise<void>
  /** Ends every session of the deployment, where that can be done. */
  revokeAll(): Promise<void>
}

/** One request as the routes see it. */
export interface Call {
  readonly method: string
  /** The path without its slash. */
  readonly route: string
  readonly query: URLSearchParams
  readonly form: Readonly<Record<string, unknown>>
}

export interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

type Route = (actor: Actor, call: Call) => Promise<Record<string, unknown>> | Record<string, unknown>

const ROUTES: Readonly<Record<string, Route>> = {
  'GET who': (actor) => ({
    user: actor.user ?? null,
    handle: actor.handle ?? null,
    status: actor.status ?? null,
    ...actor.bag(),
  }),
  'GET form': (actor) => ({ token: actor.token() }),
  'GET sessions': async (actor, { query }) => ({ sessions: (await actor.sessionsOf(query.get('user') ?? '')) ?? null }),
  'POST key': (actor, { query }) => {
    const bag = actor.bag()
    bag.keys ??= {}
    bag.keys[query.get('key') ?? ''] = true
    return {}
  },
  'POST count': async (actor) => {
    await actor.update((bag) => {
      bag.count = (bag.count ?? 0) + 1
    })
    return {}
  },
  'POST item': (actor, { query }) => {
    const bag = actor.bag()
    const item = query.get('item') ?? ''
    if (bag.items?.includes(item) === true) return { already: true }
    bag.items = [...(bag.items ?? []), item]
    return { already: false }
  },
  'POST last': (actor, { query }) => {
    actor.bag().last = query.get('last') ?? ''
    return {}
  },
  'POST sign-in': async (actor, { query }) => {
    await actor.signIn(query.get('user') ?? '')
    return {}
  },
  'POST sign-out': async (actor) => {
    return { durable: (await actor.signOut()) ?? null }
  },
  'POST sign-out-everywhere': async (actor) => {
    return { durable: (await actor.signOut(true)) ?? null }
  },
  'POST revoke-user': async (actor, { query }) => {
    await actor.revokeUser(query.get('user') ?? '')
    return {}
  },
  'POST revoke-all': async (actor) => {
    await actor.revokeAll()
    return {}
  },
  'POST renew': async (actor) => {
    await actor.renew()
    return {}
  },
  'POST submit': (actor) => ({ submittedAs: actor.user ?? null }),
}

/** Answers a request. `?wait=` is the work of the handler, in milliseconds, between loading and changing. */
export async function answer(actor: Actor, call: Call): Promise<Reply> {
  const route = ROUTES[`${call.method} ${call.route}`]
  if (route === undefined) return { status: 404, body: { error: `no route ${call.method} ${call.route}` } }
  const token = call.form['_csrf']
  if (call.method === 'POST' && !actor.checks(typeof token === 'string' ? token : undefined)) {
    return { status: 403, body: { error: 'token refused' } }
  }
  const wait = Number(call.query.get('wait') ?? 0)
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
  return { status: 200, body: await route(actor, call) }
}

/** The call of a request, from its method, its URL and its parsed form. */
export function callOf(method: string, url: string, form: unknown): Call {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  const fields = typeof form === 'object' && form !== null ? (form as Record<string, unknown>) : {}
  return { method, route: pathname.slice(1), query: searchParams, form: fields }
}
