/**
 * A shop in small that keeps every rule: sessions as lists of versions, of which one that is not the newest is shown only
 * within the bound and only to a browser that was shown none newer. Or one that has a flaw.
 */
import type { AskedBy, Effect, Operation, Seen } from '../../../../proof/history/history.ts'
import { GRACE, type Planned, STALENESS } from './planned.ts'

/** What may be wrong with it, by the rule that it breaks. */
export type Flaw =
  | 'loses changes'
  | 'adds twice'
  | 'shows what is old'
  | 'shows what is older than the bound'
  | 'ends nothing'
  | 'ends nobody else’s'
  | 'shows another’s'
  | 'gives one name to all'
  | 'logs out'
  | 'takes the id of before a sign-in'
  | 'takes a renewed id for ever'
  | 'takes no renewed id'
  | 'claims nothing'
  | 'does nothing'
  | 'refuses forms'
  | 'takes forgeries'
  | 'fails'

interface Version {
  readonly at: number
  /** Counted up by sign-ins. */
  readonly epoch: number
  /** Undefined: it is over. */
  readonly state: State | undefined
}

type State = Omit<Seen, 'handle'>

interface Session {
  readonly name: string
  readonly versions: Version[]
  /** Counted up by renewals. */
  generation: number
  /** When the newest was first brought. */
  presented: number
}

/** What a browser brings. */
export interface Jar {
  readonly session?: Session
  readonly epoch: number
  readonly generation: number
  /** The newest version that it was shown, by its place. */
  readonly floor: number
}

export type Said = Pick<Operation, 'status' | 'outcome'> &
  Partial<Pick<Operation, 'seen' | 'code' | 'result' | 'repeated'>> & { readonly jar?: Jar }

export const NO_COOKIES: Jar = { epoch: 0, generation: 0, floor: 0 }
const NOBODY: Seen = { user: null, owner: null, handle: null, cart: [], count: 0, mark: 0 }
const OVER: Said = { status: 401, outcome: 'refused' }
const NOTHING: State = { user: null, owner: null, cart: [], count: 0, mark: 0 }

export class Shop {
  readonly effects: Effect[] = []
  readonly #sessions: Session[] = []
  readonly #claims = new Map<string, { readonly result: string; readonly done: number }>()
  readonly #flaw: Flaw | undefined

  constructor(flaw?: Flaw) {
    this.#flaw = flaw
  }

  carryOut(planned: Planned, jar: Jar): Said {
    const { kind, asked } = planned
    const base = this.#shown(planned, jar)
    if (this.#flaw === 'fails' && planned.freshness > 0.9) return { status: 500, outcome: 'unknown' }
    if (kind === 'sign-in') return this.#signIn(planned, jar, asked as AskedBy['sign-in'])
    if (kind === 'sign-out') return this.#signOut(planned, jar, asked as AskedBy['sign-out'])
    if (kind === 'submit') return this.#submitted(asked as AskedBy['submit'], jar, base)
    if (kind === 'finish') return this.#finished(planned, jar, base)
    if (kind === 'add' || kind === 'mark' || kind === 'count') return this.#changed(planned, jar, base)
    if (kind === 'renew' && base?.state !== undefined && jar.session !== undefined) {
      jar.session.generation++
      jar.session.presented = Number.POSITIVE_INFINITY
      return this.#shows(jar, base, { ...jar, generation: jar.session.generation })
    }
    return this.#shows(jar, base, jar)
  }

  /** Everything is as it was so long ago. */
  forget(now: number, since: number): void {
    for (const { versions } of this.#sessions) {
      const { epoch, state } = versions.findLast(({ at }) => at <= since) ?? { epoch: 0, state: undefined }
      versions.push({ at: now, epoch, state })
    }
    this.#claims.clear()
  }

  /** The version that this request is shown; undefined where its cookies lead to none. */
  #shown({ effect, freshness }: Planned, { session, epoch, generation, floor }: Jar): Version | undefined {
    if (session === undefined) return undefined
    if (generation === session.generation) session.presented = Math.min(session.presented, effect)
    else if (!this.#takesOld(session, effect)) return undefined
    const { versions } = session
    const newest = versions.length - 1
    const asOf = this.#flaw === 'shows what is older than the bound' ? -1 : effect - STALENESS
    const oldest = versions.findLastIndex(({ at }) => at <= asOf)
    const least = this.#flaw?.startsWith('shows what is old') === true ? oldest : Math.max(oldest, floor)
    const from = Math.max(0, Math.min(least, newest))
    const version = versions[from + Math.floor(freshness * (newest - from + 1))]
    if (version === undefined || this.#flaw === 'logs out') return freshness > 0.9 ? undefined : version
    return version.epoch === epoch || this.#flaw === 'takes the id of before a sign-in' ? version : undefined
  }

  #takesOld({ presented }: Session, now: number): boolean {
    if (this.#flaw === 'takes a renewed id for ever') return true
    return this.#flaw !== 'takes no renewed id' && now < presented + GRACE
  }

  #changed(planned: Planned, jar: Jar, base: Version | undefined): Said {
    const { session } = jar
    const latest = session?.versions.at(-1)
    if (base?.state === undefined || session === undefined || latest === undefined) {
      // Whose session is over or forgotten begins anew; what comes with an id that was superseded is dropped.
      const isSuperseded = base === undefined && latest?.state !== undefined && latest.epoch >= jar.epoch
      return isSuperseded ? this.#shows(jar, base, jar) : this.#begins(planned)
    }
    const isOver = latest.state === undefined || latest.epoch !== base.epoch
    if (planned.kind === 'count' && isOver) return OVER
    const seen = changed(planned.kind === 'count' ? (latest.state ?? base.state) : base.state, planned)
    if (!isOver && !(this.#flaw === 'loses changes' && planned.freshness > 0.9)) {
      const state = changed(latest.state ?? base.state, planned)
      const count = state.count + (this.#flaw === 'adds twice' && planned.kind === 'count' ? 1 : 0)
      session.versions.push({ ...latest, at: planned.effect, state: { ...state, count } })
    }
    const floor = isOver ? jar.floor : session.versions.length - 1
    return this.#shows(jar, { ...base, state: seen }, { ...jar, floor })
  }

  /** The first value of a guest. */
  #begins(planned: Planned): Said {
    const state = changed({ ...NOTHING, owner: planned.kind === 'count' ? null : planned.visit }, planned)
    const version = { at: planned.effect, epoch: 0, state }
    const session = this.#session(version)
    const jar = { ...NO_COOKIES, session }
    return this.#shows(jar, version, jar)
  }

  #signIn({ visit, effect }: Planned, jar: Jar, { user }: AskedBy['sign-in']): Said {
    const latest = jar.session?.versions.at(-1)
    const goesOn = latest?.state?.user === null && latest.epoch === jar.epoch ? latest : undefined
    const epoch = (goesOn?.epoch ?? 0) + 1
    const cart = goesOn?.state?.cart ?? []
    const version = { at: effect, epoch, state: { ...NOTHING, owner: visit, user, cart } }
    const session = goesOn === undefined ? this.#session(version) : (jar.session as Session)
    if (goesOn !== undefined) session.versions.push(version)
    const { generation, versions } = session
    const next = { session, epoch, generation, floor: versions.length - 1 }
    return this.#shows(next, version, next)
  }

  #signOut({ effect }: Planned, jar: Jar, { user, everywhere }: AskedBy['sign-out']): Said {
    const said: Said = { status: 200, outcome: 'acknowledged', seen: NOBODY, jar: NO_COOKIES }
    const latest = jar.session?.versions.at(-1)
    if (latest?.state === undefined || latest.epoch !== jar.epoch || this.#flaw === 'ends nothing') return said
    const all = everywhere && this.#flaw !== 'ends nobody else’s' ? this.#sessions : []
    for (const { versions } of new Set([jar.session as Session, ...all])) {
      const last = versions.at(-1)
      if (last?.state?.user === user) versions.push({ ...last, at: effect, state: undefined })
    }
    return said
  }

  #submitted({ form }: AskedBy['submit'], jar: Jar, base: Version | undefined): Said {
    const isTaken = form === 'genuine' ? this.#flaw !== 'refuses forms' : this.#flaw === 'takes forgeries'
    if (base?.state === undefined || !isTaken) return { status: 403, outcome: 'refused' }
    return this.#shows(jar, base, jar)
  }

  #finished({ asked, effect, ended, server }: Planned, jar: Jar, base: Version | undefined): Said {
    if (base?.state === undefined) return { ...OVER, code: 'ERR_CYCLE_ENDED' }
    const { cycle } = asked as AskedBy['finish']
    const claimed = this.#claims.get(cycle)
    if (claimed !== undefined && claimed.done > effect)
      return { status: 503, outcome: 'refused', code: 'ERR_CYCLE_BUSY' }
    const result = claimed?.result ?? `${cycle} by ${server}`
    if (claimed === undefined && this.#flaw !== 'does nothing')
      this.effects.push({ cycle, idempotencyKey: cycle, server })
    if (this.#flaw !== 'claims nothing') this.#claims.set(cycle, claimed ?? { result, done: ended })
    return { ...this.#shows(jar, base, jar), result, repeated: claimed !== undefined }
  }

  #session(version: Version): Session {
    const session = { name: `s${this.#sessions.length}`, versions: [version], generation: 0, presented: 0 }
    this.#sessions.push(session)
    return session
  }

  /** What the answer shows, and the cookies after it. */
  #shows({ session }: Jar, version: Version | undefined, jar: Jar): Said {
    const said = { status: 200, outcome: 'acknowledged', jar } as const
    if (this.#flaw === 'shows another’s') {
      const other = this.#sessions.find(({ versions }) => versions.at(-1)?.state?.user === 'u0')
      const state = other?.versions.at(-1)?.state
      if (state !== undefined) return { ...said, seen: { ...state, handle: 'another’s' } }
    }
    if (session === undefined || version?.state === undefined) return { ...said, seen: NOBODY }
    const floor = Math.max(jar.floor, session.versions.indexOf(version))
    const handle = this.#flaw === 'gives one name to all' ? 'all' : `${session.name}.${version.epoch}`
    return { ...said, jar: { ...jar, floor }, seen: { ...version.state, handle } }
  }
}

function changed(state: State, { kind, asked }: Planned): State {
  if (kind === 'count') return { ...state, count: state.count + 1 }
  if (kind === 'mark') return { ...state, mark: (asked as AskedBy['mark']).mark }
  return { ...state, cart: [...state.cart, (asked as AskedBy['add']).item] }
}
