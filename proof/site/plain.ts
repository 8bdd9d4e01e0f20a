/** A visitor on a session library that keeps one record and writes it whole, as applications on such libraries are written. */
import { randomBytes, timingSafeEqual } from 'node:crypto'

import { loadPeer } from '../peers.ts'
import type { Basket, Shopper } from './shop.ts'

type Done = (error?: Error | null) => void

export interface PlainSession extends Basket {
  user?: string
  csrf?: string
  /** Actions that were begun, by their tokens, with what came of them. */
  orders?: Record<string, { cycle: string; result?: string }>
  cookie: unknown
  regenerate(done: Done): void
  destroy(done: Done): void
  save(done: Done): void
}

/** A session in one request, whichever library keeps it. */
export interface Keeper {
  /** After `destroy` there may be none. */
  readonly session: PlainSession | undefined | null
  readonly id: string | undefined
  /** A new id, and nothing in the session. */
  regenerate(): Promise<void>
  save(): Promise<void>
  destroy(): Promise<void>
}

export function plainShopper(keeper: Keeper): Shopper {
  const held = (): PlainSession => keeper.session as PlainSession
  return {
    get user() {
      return keeper.session?.user
    },
    get handle() {
      return keeper.id
    },
    get basket() {
      return keeper.session ?? {}
    },
    update: async (change) => {
      change(held())
      await keeper.save()
    },
    signIn: (user) => {
      const { owner, cart } = held()
      return renewed(keeper, { user, owner, cart })
    },
    signOut: async () => {
      await keeper.destroy()
      return undefined
    },
    renew: () => {
      const { owner, cart, count, mark, user, csrf, orders } = held()
      return renewed(keeper, { owner, cart, count, mark, user, csrf, orders })
    },
    token: () => (held().csrf ??= randomBytes(16).toString('base64url')),
    checks: (token) => token !== undefined && sameText(token, keeper.session?.csrf),
    begin: async (cycle) => {
      const token = randomBytes(16).toString('base64url')
      held().orders = { ...held().orders, [token]: { cycle } }
      await keeper.save()
      return token
    },
    finish: async (token, effect) => {
      const order = held().orders?.[token]
      if (order === undefined) throw new Error('no such order')
      if (order.result !== undefined) return { result: order.result, repeated: true }
      order.result = await effect(order.cycle, token)
      await keeper.save()
      return { result: order.result, repeated: false }
    },
  }
}

/** `regenerate` empties the session, so the application carries over what it keeps. */
async function renewed(keeper: Keeper, kept: object): Promise<void> {
  await keeper.regenerate()
  const there = Object.entries(kept).filter(([, value]) => value !== undefined)
  Object.assign(keeper.session as PlainSession, Object.fromEntries(there))
  await keeper.save()
}

/** connect-redis on a client of its own. */
export async function redisKeeper(url: string): Promise<{ readonly store: object; close(): Promise<void> }> {
  const { createClient } = await loadPeer<{ createClient: (options: { url: string }) => RedisClient }>('redis')
  const { RedisStore } = await loadPeer<{ RedisStore: new (options: { client: unknown }) => object }>('connect-redis')
  const client = createClient({ url })
  // What becomes of requests meanwhile is in the history.
  client.on('error', () => undefined)
  await client.connect()
  return { store: new RedisStore({ client }), close: () => client.close() }
}

interface RedisClient {
  on(event: 'error', listener: () => void): unknown
  connect(): Promise<unknown>
  close(): Promise<void>
}

/** Of a call that answers by callback. */
export function settled(call: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === undefined || error === null ? resolve() : reject(error)))
  })
}

function sameText(left: string, right: string | undefined): boolean {
  return right !== undefined && left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right))
}
