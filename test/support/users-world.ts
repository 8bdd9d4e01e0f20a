/**
 * What users do from several browsers on several servers, and what those who look after their sessions do meanwhile: as
 * a program of which everything is noted, so that it can be judged afterwards what has to be alive and what must not.
 */
import fc from 'fast-check'

import { standingOf } from '../../src/core/commits.ts'
import type { LiveRecord } from '../../src/core/live-record.ts'
import { overBy } from '../../src/core/resolution.ts'
import type { Manager } from '../../src/core/sessions.ts'
import { handleOf } from '../../src/core/session-id.ts'
import type { Selector, Store } from '../../src/core/store.ts'
import { HoldfastError } from '../../src/errors.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { BaseOptions, Session } from '../../src/types.ts'
import { Browser, server, testClock, type TestClock, type TestData } from './core-browser.ts'
import { Turns } from './turns.ts'

export const USERS = ['ada', 'bob'] as const
export type User = (typeof USERS)[number]
const BROWSERS = 5
const SERVERS = 3
const MINUTE = 60_000

/** One thing that is done. Browsers and servers are numbers; `handle`: of whom that browser was signed in as last. */
export type Deed = { readonly server: number } & (
  | { readonly does: 'sign-in'; readonly browser: number; readonly user: User }
  | { readonly does: 'change' | 'renew' | 'raise' | 'sign-out'; readonly browser: number }
  | { readonly does: 'sign-out-everywhere'; readonly browser: number }
  | { readonly does: 'revoke'; readonly user: User; readonly browser: number }
  | { readonly does: 'revoke-user'; readonly user: User; readonly except: number | undefined }
  | { readonly does: 'revoke-all' }
  | { readonly does: 'list'; readonly user: User }
)

/** What goes on at once: in each lane one thing after the other. And how long nothing happens afterwards, in minutes. */
export interface Phase {
  readonly lanes: readonly (readonly Deed[])[]
  readonly rest: number
}

/** A sign-in that was answered, as the browser knows it. */
export interface SignIn {
  readonly user: User
  readonly browser: number
  readonly handle: string
  readonly signedInAt: number
}

/** Something that was done: from when to when, and what came of it. */
export interface Done {
  readonly deed: Deed
  readonly begun: number
  readonly ended: number
  readonly signIn?: SignIn | undefined
  /** Why it was refused or failed; `undefined`: it was not. */
  readonly error?: HoldfastError | undefined
  /** The handles that were listed. */
  readonly listed?: readonly string[] | undefined
  /** The handle of the session that was spared, revoked or signed out of. */
  readonly handle?: string | undefined
  /** Whether `revoke` says that it ended one. */
  readonly revoked?: boolean | undefined
}

/** A live session, as it is in the store. */
export interface Alive {
  readonly selector: Selector
  readonly record: LiveRecord
  readonly handle: string
}

export class UsersWorld {
  readonly clock: TestClock = testClock()
  readonly store: Store = memoryStore({ now: this.clock.now })
  readonly servers: readonly Manager<TestData>[]
  readonly browsers: readonly Browser[] = Array.from({ length: BROWSERS }, () => new Browser())
  readonly done: Done[] = []
  readonly #turns: Turns
  readonly #selectors = new Set<Selector>()
  readonly #signedIn = new Map<number, SignIn>()
  #moment = 0

  constructor(seed: number, options: BaseOptions) {
    this.#turns = new Turns(seed)
    const create = this.store.create.bind(this.store)
    this.store.create = (selector, ...rest) => {
      this.#selectors.add(selector)
      return create(selector, ...rest)
    }
    this.servers = Array.from({ length: SERVERS }, () =>
      server(this.#turns.way(this.store), this.clock, { storeDeadline: '1h', idleTimeout: '2h', ...options }),
    )
  }

  async follow(phases: readonly Phase[]): Promise<void> {
    await Promise.all(this.servers.map((one) => one.ready()))
    for (const { lanes, rest } of phases) {
      await this.#turns.run(lanes.map((lane) => () => this.#lane(lane)))
      this.clock.forward(1 + rest * MINUTE)
      // Every five seconds each server asks whether all was revoked.
      await Promise.all(this.servers.map((one) => one.ready()))
    }
  }

  close(): Promise<unknown> {
    return Promise.all(this.servers.map((one) => one.close()))
  }

  get signIns(): readonly (Done & { readonly signIn: SignIn })[] {
    return this.done.filter((one): one is Done & { signIn: SignIn } => one.signIn !== undefined)
  }

  /** Every session of the user that a browser with the right cookie would be served as, whatever the index says. */
  async alive(user: User): Promise<Alive[]> {
    const services = { settings: this.servers[0]!.settings, heartbeat: await this.store.epoch() }
    const found: Alive[] = []
    for (const selector of this.#selectors) {
      const standing = standingOf(await this.store.load(selector))
      if (!('record' in standing) || standing.record.userId !== user) continue
      const { record } = standing
      if (overBy(services as never, record, this.clock.now()) !== undefined) continue
      found.push({ selector, record, handle: handleOf(selector, record.epoch) })
    }
    return found
  }

  /** Whether the session of this sign-in is among them, also under a later handle. */
  has(alive: readonly Alive[], { handle, signedInAt }: SignIn): boolean {
    return alive.some(
      ({ selector, record }) =>
        record.signedInAt === signedInAt &&
        Array.from({ length: record.epoch + 1 }, (_, epoch) => handleOf(selector, epoch)).includes(handle),
    )
  }

  async #lane(deeds: readonly Deed[]): Promise<void> {
    for (const deed of deeds) {
      const begun = ++this.#moment
      const made: Partial<Done> = await this.#do(deed).catch((error: unknown) => {
        if (error instanceof HoldfastError) return { error }
        throw error
      })
      this.done.push({ deed, begun, ended: ++this.#moment, ...made })
    }
  }

  async #do(deed: Deed): Promise<Partial<Done>> {
    const at = this.servers[deed.server]!
    if (deed.does === 'revoke-all') {
      // Within a millisecond nobody can know which of two things came first; and sign-ins of one user get one each.
      this.clock.forward(100)
      await at.revokeAll()
      this.clock.forward(1)
      return {}
    }
    if (deed.does === 'list') return { listed: (await at.list(deed.user)).map(({ handle }) => handle) }
    if (deed.does === 'revoke-user') {
      const spared = deed.except === undefined ? undefined : this.#signedIn.get(deed.except)?.handle
      await at.revokeUser(deed.user, spared === undefined ? {} : { except: spared })
      return { handle: spared }
    }
    if (deed.does === 'revoke') {
      const handle = this.#signedIn.get(deed.browser)?.handle
      if (handle === undefined) return {}
      return { handle, revoked: (await at.revoke(deed.user, handle)).ended }
    }
    const browser = this.browsers[deed.browser]!
    const { result, cookies } = await browser.request(at, (session) => act(session, deed), 'POST')
    browser.keep(cookies)
    if (result.signIn !== undefined) this.#signedIn.set(deed.browser, result.signIn)
    return result
  }
}

async function act(
  session: Session<TestData>,
  deed: Extract<Deed, { browser: number }>,
): Promise<Pick<Done, 'signIn' | 'handle' | 'error'>> {
  const { handle, userId } = session
  if (deed.does === 'change') session.data['n'] = deed.browser
  if (deed.does === 'renew') await session.regenerateId()
  if (deed.does === 'raise') await session.regenerateId({ previous: 'refused' })
  if (deed.does === 'sign-out') await session.signOut()
  if (deed.does === 'sign-out-everywhere') await session.signOut({ everywhere: true })
  if (deed.does !== 'sign-in') return userId === undefined ? {} : { handle }
  const { user, browser } = deed
  await session.signIn(user)
  return { signIn: { user, browser, handle: session.handle!, signedInAt: session.signedInAt!.getTime() } }
}

/** Mostly the same, so that they meet. */
const browser = fc.constantFrom(0, 0, 0, 1, 1, 2)
const anyBrowser = fc.nat(BROWSERS - 1)
const user = fc.constantFrom<User>('ada', 'ada', 'ada', 'bob')
const where = fc.nat(SERVERS - 1)

/** Everything that users and their keepers do. */
export const anyDeed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ server: where, does: fc.constant('sign-in' as const), browser, user }) },
  {
    weight: 3,
    arbitrary: fc.record({ server: where, does: fc.constantFrom('change', 'renew', 'raise', 'sign-out'), browser }),
  },
  { weight: 1, arbitrary: fc.record({ server: where, does: fc.constant('sign-out-everywhere' as const), browser }) },
  { weight: 1, arbitrary: fc.record({ server: where, does: fc.constant('revoke' as const), user, browser }) },
  {
    weight: 2,
    arbitrary: fc.record({
      server: where,
      does: fc.constant('revoke-user' as const),
      user,
      except: fc.option(browser, { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ server: where, does: fc.constant('revoke-all' as const) }) },
  { weight: 2, arbitrary: fc.record({ server: where, does: fc.constant('list' as const), user }) },
)

/** What concerns the number of a user's sessions. */
export const crowdingDeed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ server: where, does: fc.constant('sign-in' as const), browser: anyBrowser, user }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      server: where,
      does: fc.constantFrom('change', 'renew', 'raise', 'sign-out'),
      browser: anyBrowser,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ server: where, does: fc.constant('revoke' as const), user, browser: anyBrowser }),
  },
)

/** A program of such deeds. */
export function programOf(deed: fc.Arbitrary<Deed>, lanes = 4): fc.Arbitrary<Phase[]> {
  const lane = fc.array(deed, { minLength: 1, maxLength: 4 })
  return fc.array(
    fc.record({ lanes: fc.array(lane, { minLength: 1, maxLength: lanes }), rest: fc.constantFrom(0, 0, 2, 16) }),
    { minLength: 1, maxLength: 3 },
  )
}
