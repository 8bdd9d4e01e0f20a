/** The sessions of an application: puts the parts together, and is what adapters begin a visit with. */
import { HoldfastError, NotMountedError, OptionsError, StoreUnavailableError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type { Health, Session, Sessions, SessionsStats, SessionSummary, Secrets } from '../types.ts'
import { Adoption } from './adoption.ts'
import { createClock, type Clock } from './clock.ts'
import { Commits } from './commits.ts'
import { Copies } from './copies.ts'
import { CookieReader } from './cookie.ts'
import { DecodedPayloads } from './decoded.ts'
import { Ends } from './ends.ts'
import { GuardedStore } from './guarded-store.ts'
import { endAgain } from './judged-end.ts'
import { createKeyring, type Keyring } from './keyring.ts'
import { LostWrites } from './lost-writes.ts'
import { NearCache, type NearCacheBounds, sharesOf } from './near-cache.ts'
import type { Settings } from './options.ts'
import { PresentedCookies } from './presented.ts'
import { pooledRandom, type RandomSource } from './random.ts'
import type { RequestFacts } from './request.ts'
import { DeadIds } from './resolution.ts'
import { Heartbeat, Selectors } from './selectors.ts'
import { Counters, WarnOnce, Watchers, type Services } from './services.ts'
import type { DataRules } from './session-data.ts'
import type { Durable, Store } from './store.ts'
import { Touches } from './touches.ts'
import { Users } from './users.ts'
import type { Visit } from './visit.ts'
import { Visiting, type Surroundings } from './visiting.ts'

/** How long `ready()` waits for a store that does not answer, in milliseconds. */
const READY_WITHIN = 10_000
const READY_AGAIN = 200
/** How many store deadlines one change may go on trying for. */
const COMMIT_DEADLINES = 3

/** What a manager is made of. `keyring`: of the secret, where there is one already. `random`: for tests. */
export interface Parts {
  readonly settings: Settings
  readonly secret: Secrets
  readonly keyring?: Keyring | undefined
  readonly store: Store
  readonly random?: RandomSource | undefined
}

/** Begins a visit: for adapters, once per request, before `visit.open()`. `request` is what `sessions.of` is asked with. */
export function beginVisit<Data extends object>(
  sessions: Sessions<Data>,
  facts: RequestFacts,
  request: object,
): Visit<Data> {
  return managerOf<Data>(sessions).begin(facts, request)
}

function managerOf<Data extends object>(sessions: object): Manager<Data> {
  if (sessions instanceof Manager) return sessions as Manager<Data>
  throw new OptionsError(
    'sessions',
    'This is not what createSessions() answered. Is there a second copy of holdfast in node_modules?',
  )
}

/** What a manager works with: for what keeps sessions of another kind in its store. Throws `OptionsError` for what is no manager. */
export function servicesOf(sessions: object): Services {
  return Manager.servicesOf(managerOf(sessions))
}

type Slots<Data extends object> = Record<symbol, Visit<Data> | undefined>

/** What adapters need to know of a manager's options. */
export function settingsOf<Data extends object>(sessions: Sessions<Data>): Settings {
  return (sessions as Manager<Data>).settings
}

export class Manager<Data extends object> implements Sessions<Data> {
  readonly settings: Settings
  readonly #services: Services
  readonly #around: Surroundings<Data>
  readonly #users: Users<Data>
  /** Where a request keeps its visit of this manager; a map of requests would be a burden to the garbage collector. */
  readonly #slot: symbol = Symbol('holdfast visit')
  #closing: Promise<void> | undefined

  constructor(parts: Parts) {
    this.settings = parts.settings
    const services = makeServices(parts)
    const rules: DataRules<Data> = {
      initial: parts.settings.initial as () => Data,
      decoded: new DecodedPayloads((payload) => parts.settings.shape.decode(payload), services.shares?.decoded),
      whole: parts.settings.whole,
      shape: parts.settings.shape,
    }
    this.#services = services
    this.#users = new Users(services, rules)
    this.#around = {
      services,
      rules,
      dead: new DeadIds(),
      warnings: new WarnOnce(parts.settings),
      revokeUser: (userId) => this.#users.revokeUser(userId),
    }
    this.#start()
  }

  /** Not a member of a manager: what is logged with one is not to have its keys in it. */
  static servicesOf(manager: Manager<object>): Services {
    return manager.#services
  }

  begin(facts: RequestFacts, request: object): Visit<Data> {
    const visit = new Visiting(this.#around, facts)
    ;(request as Slots<Data>)[this.#slot] = visit
    return visit
  }

  of(request: object): Session<Data> {
    const visit = (request as Slots<Data>)[this.#slot] ?? (request as { raw?: Slots<Data> }).raw?.[this.#slot]
    if (visit !== undefined) return visit.session
    throw new NotMountedError(
      'This request has not passed Holdfast: mount its middleware or plugin before the handler, and pass the request that it saw.',
    )
  }

  async ready(): Promise<void> {
    const until = performance.now() + READY_WITHIN
    for (;;) {
      try {
        return await this.#services.heartbeat.beat()
      } catch (error) {
        if (!(error instanceof StoreUnavailableError) || performance.now() > until) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, READY_AGAIN))
    }
  }

  list(userId: string): Promise<SessionSummary<Data>[]> {
    return this.#users.list(userId)
  }

  revoke(userId: string, handle: string): Promise<{ readonly ended: boolean } & Durable> {
    return this.#users.revoke(userId, handle)
  }

  revokeUser(userId: string, options: { except?: string } = {}): Promise<{ readonly ended: number } & Durable> {
    return this.#users.revokeUser(userId, options.except)
  }

  async revokeAll(): Promise<Durable> {
    const { store, heartbeat } = this.#services
    const { epoch, durable } = await store.moveEpoch()
    heartbeat.epoch = Math.max(heartbeat.epoch, epoch)
    return { durable }
  }

  update<Result>(userId: string, handle: string, change: (data: Data) => Result): Promise<Result> {
    return this.#users.update(userId, handle, change)
  }

  stats(): SessionsStats {
    const { counters, store, ends, lostWrites, near, adoption } = this.#services
    const { conflicts, dropped, unconfirmed, stale } = counters
    const csrf = counters.csrf.stats
    return {
      commits: { ...counters.commits },
      conflicts,
      dropped,
      csrfRefused: Object.values(csrf.refused).reduce((sum, count) => sum + count, 0),
      csrf,
      unconfirmed,
      stale,
      lostWrites: lostWrites.count,
      nearCache: near?.stats,
      ends: ends.stats,
      adoption: adoption === undefined ? undefined : { ...adoption.stats },
      storeCommands: store.stats().commands,
      breakers: { reads: store.reads.stats, writes: store.writes.stats },
    }
  }

  async health(): Promise<Health> {
    const { store } = this.#services
    const writes = !store.writes.open
    try {
      await store.epoch()
      return { store: store.kind, ok: writes, reads: true, writes }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return { store: store.kind, ok: false, reads: false, writes, error: message }
    }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#closeOnce())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Connects in the background. What fails here is reported by `ready()` and by every request. */
  #start(): void {
    const { heartbeat, store } = this.#services
    const failed = (error: unknown): void => {
      if (this.#closing !== undefined) return
      const message = error instanceof HoldfastError ? error.message : String(error)
      this.#around.warnings.warn('start', `The session store (${store.kind}) does not answer: ${message}`)
    }
    store
      .open()
      .then(() => heartbeat.beat())
      .catch(failed)
    heartbeat.start()
  }

  async #closeOnce(): Promise<void> {
    const { heartbeat, commits, touches, ends, store, adoption } = this.#services
    heartbeat.stop()
    adoption?.stop()
    await commits.idle()
    await touches.idle()
    await ends.close()
    await store.close()
  }
}

function makeServices({ settings, store: bare, random = pooledRandom(), ...parts }: Parts): Services {
  const keyring = parts.keyring ?? createKeyring(parts.secret, settings.name)
  const clock = createClock(settings.now)
  const store = new GuardedStore(bare, {
    deadline: settings.storeDeadline,
    log: settings.log,
    // Whatever was revoked meanwhile is to be known before long.
    answersAgain: () => void heartbeat.beat().catch(() => undefined),
    ending: () => ends.begin(),
    writing: (selector) => near?.changed(selector),
    ended: (selector) => adoption?.ended(selector),
  })
  const bounds = store.tracks ? settings.nearCache : undefined
  const shares = bounds === undefined ? undefined : sharesOf(bounds)
  const near = bounds === undefined ? undefined : makeNearCache(bounds, store)
  const ends = new Ends({
    clock,
    log: settings.log,
    most: settings.limits.ends,
    remembers: bare.watch !== undefined,
    again: (selector, marker, ttl) => endAgain(store, selector, marker, ttl),
  })
  store.watch({
    replaced: () => {
      const again = ends.replaced()
      channels.replaced.publish({ store: bare.kind, ends: again })
      settings.log.warn(
        { store: bare.kind, ends: again },
        `The session store (${bare.kind}) may have lost acknowledged writes: what was ended lately is ended again.`,
      )
    },
    changed: (selector) => near?.changed(selector),
    untracked: () => near?.flush(),
  })
  const copies = settings.serveStale === undefined ? undefined : makeCopies(settings, settings.serveStale, clock)
  const selectors = new Selectors(keyring, store, random)
  const counters = new Counters()
  const watchers = new Watchers(copies)
  const warnings = new WarnOnce(settings)
  const heartbeat = new Heartbeat(selectors, store, clock, () =>
    warnings.warn('heartbeat', `The session store (${store.kind}) did not answer this process's heartbeat.`),
  )
  const touches = new Touches({
    store,
    clock,
    timers: settings.timers,
    markerTime: settings.maxRequestTime,
    ended: (selector) => watchers.ended(selector),
    touched: () => {
      counters.commits.touched++
    },
  })
  const conflicted = (): void => {
    counters.conflicts++
  }
  const deadline = settings.storeDeadline * COMMIT_DEADLINES
  const commits = new Commits({
    store,
    clock,
    timers: settings.timers,
    random,
    answerWithin: settings.storeDeadline,
    deadline,
    queuedMost: settings.limits.queuedCommits,
    conflicted,
  })
  const services: Services = {
    settings,
    keyring,
    random,
    clock,
    store,
    cookies: new CookieReader(keyring),
    presented: new PresentedCookies(shares?.headers),
    shares,
    commits,
    selectors,
    heartbeat,
    touches,
    near,
    watchers,
    ends,
    copies,
    counters,
    lostWrites: new LostWrites(settings.log),
    adoption: undefined,
  }
  const adoption = settings.adopt.length > 0 ? new Adoption(services) : undefined
  return { ...services, adoption }
}

function makeNearCache(bounds: NearCacheBounds, store: GuardedStore): NearCache {
  return new NearCache({ ...bounds, bytes: sharesOf(bounds).records, ask: (selector) => store.loadTracked(selector) })
}

/** A copy is no activity: it serves no longer than the session would have lived without any. */
function makeCopies({ timers, limits }: Settings, serveStale: number, clock: Clock): Copies {
  return new Copies({
    clock,
    age: Math.min(serveStale, timers.idle),
    most: limits.copies,
    bytesMost: limits.copiedBytes,
  })
}
