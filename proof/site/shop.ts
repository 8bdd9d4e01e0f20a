/** The application of the proof: one set of routes over whatever keeps its sessions, so that all are asked the same. */
import { appendFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

import type { Effect, Seen } from '../history/history.ts'

/** What the application keeps in a session. */
export interface Basket {
  /** The visit that it belongs to. */
  owner?: string
  cart?: Record<string, true>
  count?: number
  mark?: number
}

/** A visitor as the application deals with them. */
export interface Shopper {
  readonly user: string | undefined
  readonly handle: string | undefined
  /** The session's data; changes are saved with the answer. */
  readonly basket: Basket
  /** The exact read-modify-write, where there is one; else a plain change. */
  update(change: (basket: Basket) => void): Promise<void>
  /** Under a new id; of a guest's data owner and cart go along. */
  signIn(user: string): Promise<void>
  /** Answers whether the end is as durable as it can be; `undefined` where that is not known. */
  signOut(everywhere: boolean): Promise<boolean | undefined>
  renew(): Promise<void>
  token(): string
  /** Whether the token of a submitted form is good. Where a library judges before the handler, `true`. */
  checks(token: string | undefined): boolean
  /** Begins a cycle, and answers the token of its form. */
  begin(cycle: string): Promise<string>
  /** Ends it, once. */
  finish(token: string, effect: FinalEffect): Promise<{ readonly result: string; readonly repeated: boolean }>
}

/** What the last step of a cycle does. */
export type FinalEffect = (cycle: string, idempotencyKey: string) => Promise<string>

/** One request. */
export interface Call {
  readonly route: string
  readonly query: URLSearchParams
  readonly token: string | undefined
}

export interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

type Route = (shopper: Shopper, query: URLSearchParams, call: Call) => Promise<object> | object

/** Before an effect and again after it, in milliseconds at most: long enough to be hit by a kill. */
const WORK_MOST = 30

/** `ledger`: the file to which effects add their lines. */
export function shop(server: string, ledger: string): (shopper: Shopper, call: Call) => Promise<Reply> {
  const routes: Readonly<Record<string, Route>> = {
    'GET /read': () => ({}),
    'POST /add': (shopper, query) => {
      const { basket } = owned(shopper, query)
      basket.cart = { ...basket.cart, [valueOf(query, 'item')]: true }
      return {}
    },
    'POST /count': async (shopper) => {
      await shopper.update((basket) => void (basket.count = (basket.count ?? 0) + 1))
      return {}
    },
    'POST /mark': (shopper, query) => {
      owned(shopper, query).basket.mark = Number(valueOf(query, 'mark'))
      return {}
    },
    'POST /sign-in': async (shopper, query) => {
      shopper.basket.owner = valueOf(query, 'visit')
      await shopper.signIn(valueOf(query, 'user'))
      return {}
    },
    'POST /sign-out': async (shopper, query) => ({ durable: await shopper.signOut(query.has('everywhere')) }),
    'POST /renew': async (shopper) => {
      await shopper.renew()
      return {}
    },
    'GET /form': (shopper) => ({ token: shopper.token() }),
    'POST /submit': () => ({}),
    'GET /begin': async (shopper, query) => ({ token: await shopper.begin(valueOf(query, 'cycle')) }),
    'POST /finish': (shopper, _query, { token = '' }) => shopper.finish(token, effect),
  }

  const effect: FinalEffect = async (cycle, idempotencyKey) => {
    await pause(Math.random() * WORK_MOST)
    const entry: Effect = { cycle, idempotencyKey, server }
    // One write of less than a page with O_APPEND: lines of several servers do not mix.
    appendFileSync(ledger, `${JSON.stringify(entry)}\n`)
    await pause(Math.random() * WORK_MOST)
    return `${cycle} by ${server}`
  }

  return async (shopper, call) => {
    const route = routes[call.route]
    if (route === undefined) return { status: 404, body: { server, error: `no route ${call.route}` } }
    if (isJudged(call) && !shopper.checks(call.token)) return { status: 403, body: { server, code: 'TOKEN_REFUSED' } }
    const said = await route(shopper, call.query, call)
    return { status: 200, body: { server, ...said, seen: seenOf(shopper) } }
  }
}

/** Those routes for which visitors bring a token. */
function isJudged({ route }: Call): boolean {
  return route === 'POST /submit'
}

/** A guest's session belongs to the visit that first writes to it. */
function owned(shopper: Shopper, query: URLSearchParams): Shopper {
  shopper.basket.owner ??= valueOf(query, 'visit')
  return shopper
}

export function seenOf({ user, handle, basket }: Pick<Shopper, 'user' | 'handle' | 'basket'>): Seen {
  const { owner, cart = {}, count = 0, mark = 0 } = basket
  return { user: user ?? null, owner: owner ?? null, handle: handle ?? null, cart: Object.keys(cart), count, mark }
}

function valueOf(query: URLSearchParams, name: string): string {
  const value = query.get(name)
  if (value === null) throw new Error(`the request has no ${name}`)
  return value
}

export function callOf(method: string, url: string, form: unknown): Call {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  const token = typeof form === 'object' && form !== null ? (form as { _csrf?: unknown })._csrf : undefined
  return { route: `${method} ${pathname}`, query: searchParams, token: typeof token === 'string' ? token : undefined }
}
