/** A simulated server: the core over its connection to the store, and the shop's answers, without HTTP. */
import { setTimeout as pause } from 'node:timers/promises'

import type { Effect, Seen } from '../history/history.ts'
import { type Basket, seenOf } from '../site/shop.ts'
import { chance } from '../visitors/random.ts'
import {
  beginVisit,
  createKeyring,
  type CycleKind,
  defineCycle,
  HoldfastError,
  Manager,
  type RequestFacts,
  resolveOptions,
  servicesOf,
  type Session,
  UnconfirmedError,
  type Visit,
} from './parts.ts'
import type { Schedule } from './plan.ts'
import type { Connection } from './store.ts'

const SECRET = 'a secret of the simulation, for no other use: cafed00d'
/** Made once: deriving its keys takes a tenth of the time of a schedule. */
const KEYRING = createKeyring(SECRET, resolveOptions({}).name)
const ORIGIN = 'https://shop.example'
/** Milliseconds. */
export const GRACE = 3_000
export const STALENESS = 1_000
const RENEWAL = 5_000
const LEASE = 2_000
const PATIENCE = 500

/** What a browser asks of the shop. */
export type Asked =
  | { readonly route: 'read' | 'count' | 'renew' | 'form' | 'submit'; readonly fresh?: boolean }
  | { readonly route: 'add'; readonly item: string; readonly visit: string }
  | { readonly route: 'mark'; readonly mark: number; readonly visit: string }
  | { readonly route: 'sign-in'; readonly user: string; readonly visit: string }
  | { readonly route: 'sign-out'; readonly everywhere: boolean }
  | { readonly route: 'begin'; readonly cycle: string }
  | { readonly route: 'finish'; readonly takes: number }

export interface Request {
  readonly asked: Asked
  readonly cookie: string
  /** Of a form, and whether it comes as forms of old browsers do, with no word of where it comes from. */
  readonly token?: string | undefined
  readonly evidence: boolean
}

export interface Reply {
  readonly status: number
  readonly cookies: readonly string[]
  readonly code?: string
  readonly applied?: 'no' | 'unknown'
  readonly seen?: Seen
  readonly durable?: boolean
  readonly token?: string
  readonly result?: string
  readonly repeated?: boolean
}

/** What becomes of a request before it is settled. */
type Handled = Omit<Reply, 'cookies' | 'seen'> & {
  /** Whether it came with an id of before. */
  readonly lapsed: boolean
  readonly shown: Seen | undefined
}

type Said = Omit<Reply, 'status' | 'cookies' | 'code' | 'applied' | 'seen'>

interface Order {
  readonly name: string
}

const READS: ReadonlySet<Asked['route']> = new Set(['read', 'form', 'begin'])
const QUIET = { warn: () => undefined, error: () => undefined }

export class SimulatedServer {
  readonly name: string
  readonly #connection: Connection
  readonly #sessions: Manager<Basket>
  readonly #order: CycleKind<Order, string>
  readonly #effect: (effect: Effect) => void
  /** Settles when the server dies, with nothing. */
  readonly death: Promise<undefined>
  #die: () => void = () => undefined
  #dead = false

  constructor(
    name: string,
    incarnation: number,
    { seed, durability, nearCache }: Schedule,
    connection: Connection,
    effect: (effect: Effect) => void,
  ) {
    this.name = name
    this.#connection = connection
    this.#effect = effect
    this.death = new Promise((resolve) => (this.#die = () => resolve(undefined)))
    const bytes = chance(seed ^ (incarnation * 0x9e3779b1) ^ name.charCodeAt(0))
    const random = (size: number): Buffer => {
      const drawn = Buffer.allocUnsafe(size)
      for (let at = 0; at < size; at++) drawn[at] = bytes.below(256)
      return drawn
    }
    this.#sessions = new Manager<Basket>({
      settings: resolveOptions({
        origin: ORIGIN,
        graceTimeout: `${GRACE}ms`,
        renewalTimeout: `${RENEWAL}ms`,
        nearCache: nearCache && { maxAge: `${STALENESS}ms` },
        durability,
        log: QUIET,
      }),
      secret: SECRET,
      keyring: KEYRING,
      store: connection.asStore(),
      random,
    })
    this.#order = defineCycle<Order, string>('order', { lease: `${LEASE}ms`, patience: `${PATIENCE}ms` })
  }

  /** How many calls its connection has made. */
  get calls(): number {
    return this.#connection.calls
  }

  /** It hears that news may have been lost. */
  cut(): void {
    this.#connection.cut()
  }

  /** At once, and without a word to anybody. */
  die(): void {
    this.#dead = true
    this.#connection.break()
    this.#die()
    const { heartbeat, store } = servicesOf(this.#sessions)
    heartbeat.stop()
    store.reads.stop()
    store.writes.stop()
  }

  /** As an adapter does it. */
  async answer({ asked, cookie, token, evidence }: Request): Promise<Reply> {
    const facts = factsOf(asked, cookie, evidence)
    const visit = beginVisit<Basket>(this.#sessions, facts, {})
    const changes = facts.method === 'POST'
    try {
      const { lapsed, shown, ...told } = await this.#handle(visit, { asked, token, changes })
      // Before the answer to an error, too.
      const { cookies } = await visit.settle()
      // A session that begins with this request has a name only when it is saved, after the handler.
      const handle = shown?.handle ?? visit.session.handle ?? null
      // What is changed by who is not the visitor any more shows nothing of the visit: another one begins.
      const other = changes && lapsed && handle !== null
      return { ...told, cookies, ...(!other && shown !== undefined && { seen: { ...shown, handle } }) }
    } catch (error) {
      return { ...failed(error), cookies: visit.farewell() }
    } finally {
      visit.finish()
    }
  }

  async #handle(
    visit: Visit<Basket>,
    { asked, token, changes }: Pick<Request, 'asked' | 'token'> & { readonly changes: boolean },
  ): Promise<Handled> {
    try {
      await visit.open({ fresh: 'fresh' in asked && asked.fresh, signOut: asked.route === 'sign-out' })
      if (changes) visit.check(token === undefined ? {} : { _csrf: token })
      const lapsed = visit.session.status === 'lapsed'
      const said = await this.#carryOut(visit.session, asked, token)
      return { status: 200, ...said, lapsed, shown: seenBy(visit.session) }
    } catch (error) {
      return { ...failed(error), lapsed: false, shown: undefined }
    }
  }

  async #carryOut(session: Session<Basket>, asked: Asked, token: string | undefined): Promise<Said> {
    switch (asked.route) {
      case 'read':
      case 'submit':
        return {}
      case 'add':
        owned(session.data, asked.visit).cart = { ...session.data.cart, [asked.item]: true }
        return {}
      case 'count':
        await session.update((data) => void (data.count = (data.count ?? 0) + 1))
        return {}
      case 'mark':
        owned(session.data, asked.visit).mark = asked.mark
        return {}
      case 'sign-in':
        session.data.owner = asked.visit
        await session.signIn(asked.user, { data: ['owner', 'cart'] })
        return {}
      case 'sign-out':
        return { durable: (await session.signOut({ everywhere: asked.everywhere })).durable }
      case 'renew':
        await session.regenerateId()
        return {}
      case 'form':
        return { token: session.csrf.token() }
      case 'begin':
        return { token: (await this.#order.begin(session, { name: asked.cycle })).token }
      case 'finish':
        return this.#order.finish(session, token, ({ state, idempotencyKey }) =>
          this.#work(state.name, idempotencyKey, asked.takes),
        )
    }
  }

  /** The last step of a cycle, in whose middle the server may die. */
  async #work(cycle: string, idempotencyKey: string, takes: number): Promise<string> {
    await pause(takes / 2)
    // Who is dead does nothing more; and whatever waits for it waits in vain.
    if (this.#dead) return new Promise(() => undefined)
    this.#effect({ cycle, idempotencyKey, server: this.name })
    await pause(takes / 2)
    return `${cycle} by ${this.name}`
  }
}

function factsOf({ route }: Asked, cookie: string, evidence: boolean): RequestFacts {
  return {
    method: READS.has(route) ? 'GET' : 'POST',
    path: `/${route}`,
    headers: {
      host: 'shop.example',
      ...(cookie !== '' && { cookie }),
      ...(evidence && { origin: ORIGIN, 'sec-fetch-site': 'same-origin' }),
    },
    secure: true,
  }
}

function owned(data: Basket, visit: string): Basket {
  data.owner ??= visit
  return data
}

function seenBy(session: Session<Basket>): Seen {
  return seenOf({ user: session.userId, handle: session.handle, basket: session.data })
}

function failed(error: unknown): Omit<Reply, 'cookies'> {
  if (!(error instanceof HoldfastError)) throw error
  const { code, status } = error
  const applied =
    'applied' in error ? (error.applied as 'no' | 'unknown') : error instanceof UnconfirmedError ? 'unknown' : 'no'
  return { status, code, applied }
}
