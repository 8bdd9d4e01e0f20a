/** The sessions of a user: list, revoke, change. The index says where they are; the records say what they are. */
import {
  DataError,
  MigrationError,
  EndPendingError,
  SessionEndedError,
  StoreUnavailableError,
  UnconfirmedError,
  type EndReason,
} from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type { SessionSummary } from '../types.ts'
import { standingOf, type Standing } from './commits.ts'
import { endOrKeep, withdraw } from './ending.ts'
import { absoluteDeadline, isBarred, touchInterval } from './expiry.ts'
import type { LiveRecord } from './live-record.ts'
import { endMeant, type Meant } from './judged-end.ts'
import { overBy } from './resolution.ts'
import { rosterOf, type LiveEntry } from './roster.ts'
import type { Services } from './services.ts'
import { SessionData, type DataRules } from './session-data.ts'
import { handleOf } from './session-id.ts'
import { refusePromise } from './carried-data.ts'
import type { Durable, Selector } from './store.ts'

/** How far ahead of a revocation the session that it spares is moved, in milliseconds. */
const SPARED_AHEAD = 5_000
const SPARE_ATTEMPTS = 3

/** Whether there was something of the user's to end, and whether its end is durable. */
type Revoked = { readonly ended: boolean } & Durable

export class Users<Data extends object> {
  readonly #services: Services
  readonly #rules: DataRules<Data>

  constructor(services: Services, rules: DataRules<Data>) {
    this.#services = services
    this.#rules = rules
  }

  async list(userId: string): Promise<SessionSummary<Data>[]> {
    const { live: entries } = await rosterOf(this.#services, userId)
    const summaries = await Promise.all(entries.map((entry) => this.#summary(entry)))
    return summaries.toSorted((left, right) => right.signedInAt.getTime() - left.signedInAt.getTime())
  }

  async revoke(userId: string, handle: string): Promise<Revoked> {
    const entry = await this.#find(userId, handle)
    if (entry === undefined) return { ended: false, durable: true }
    const { selector, record } = entry
    // Who signed in to the visit meanwhile has another epoch, and another handle.
    return this.#revoke(userId, selector, record, ({ epoch }) => epoch === record.epoch)
  }

  /** Bars what was signed in until now, then ends it, and not who signs in from now on. The spared session is moved ahead of the bar first. */
  async revokeUser(userId: string, except?: string): Promise<{ readonly ended: number } & Durable> {
    const { store } = this.#services
    const found = except === undefined ? undefined : await this.#find(userId, except)
    const spared = found !== undefined && (await this.#spare(userId, found)) ? found : undefined
    const { entries, notBefore, durable: told } = await store.bar(userId, this.#services.settings.rollTime)
    // The one that is spared says so in its record, which somebody may have signed in to since.
    const barred = (record: LiveRecord): boolean => isBarred(record, notBefore)
    const signedInBefore = ({ signedInAt }: LiveRecord): boolean => (signedInAt ?? 0) <= notBefore
    let [ended, durable] = [0, told]
    let pending: EndPendingError | undefined
    for (const { selector } of entries) {
      const means = selector === spared?.selector ? barred : signedInBefore
      try {
        const standing = await this.#peek(selector)
        const one = await this.#revoke(userId, selector, 'record' in standing ? standing.record : undefined, means)
        if (one.ended && 'record' in standing) ended++
        durable &&= one.durable
      } catch (error) {
        if (!(error instanceof EndPendingError)) throw error
        pending = error
      }
    }
    if (pending !== undefined) throw pending
    return { ended, durable }
  }

  async update<Result>(userId: string, handle: string, change: (data: Data) => Result): Promise<Result> {
    const entry = await this.#find(userId, handle)
    if (entry === undefined) throw this.#noSuch(handle, 'expired')
    const data = new SessionData(this.#rules, entry.record.payload)
    let result: Result | undefined
    const committed = await this.#services.commits.submit(
      entry.selector,
      (record) => {
        if (record === undefined || record.epoch !== entry.record.epoch) return { gone: 'superseded' }
        const over = overBy(this.#services, record, this.#services.clock.now())
        if (over !== undefined) return over
        const { shape } = this.#rules
        shape.refuseNewer(record.payload, handle)
        const stored = shape.decode(record.payload) as Data
        result = change(stored)
        refusePromise(result)
        return { ...record, payload: data.encode(stored) }
      },
      entry.bytes,
      this.#services.settings.durability,
    )
    if ('gone' in committed)
      throw this.#noSuch(
        handle,
        committed.gone === 'absent' || committed.gone === 'unreadable' ? 'expired' : committed.gone,
      )
    if (!committed.durable) throw unconfirmed(handle)
    return result as Result
  }

  async #find(userId: string, handle: string): Promise<LiveEntry | undefined> {
    return (await rosterOf(this.#services, userId)).live.find((entry) => entry.handle === handle)
  }

  async #summary({ selector, record, handle }: LiveEntry): Promise<SessionSummary<Data>> {
    const { store, clock, settings } = this.#services
    const remaining = await store.remaining(selector)
    const now = clock.now()
    const idle = settings.timers.idle + touchInterval(settings.timers)
    const deadline = absoluteDeadline(record, settings.timers)
    const idleEnds = remaining === undefined ? undefined : now + remaining
    return {
      handle,
      createdAt: new Date(record.createdAt),
      signedInAt: new Date(record.signedInAt ?? record.createdAt),
      lastSeenAt: idleEnds === undefined || idleEnds >= deadline ? undefined : new Date(Math.min(now, idleEnds - idle)),
      expiresAt: idleEnds === undefined ? undefined : new Date(Math.min(idleEnds, deadline)),
      data: this.#readable(record.payload, handle),
    }
  }

  /** One session whose data cannot be decoded does not hide the others. */
  #readable(payload: Uint8Array, handle: string): Data {
    try {
      return this.#rules.shape.decode(payload) as Data
    } catch (error) {
      if (!(error instanceof DataError || error instanceof MigrationError)) throw error
      channels.unreadable.publish({ handle, why: error instanceof DataError ? 'undecodable data' : 'failed migration' })
      return this.#rules.initial()
    }
  }

  /** What is stored there, as far as it can be known. */
  async #peek(selector: Selector): Promise<Standing> {
    try {
      return standingOf(await this.#services.store.load(selector))
    } catch (error) {
      if (error instanceof StoreUnavailableError) return { gone: 'unreadable' }
      throw error
    }
  }

  /** Ends one session of the user, now or when the store is back. */
  #revoke(userId: string, selector: Selector, record: LiveRecord | undefined, means: Meant['means']): Promise<Revoked> {
    const { clock, settings } = this.#services
    const { timers } = settings
    return endOrKeep(this.#services, 'revoked', {
      selector,
      handle: record === undefined ? undefined : handleOf(selector, record.epoch),
      until: record === undefined ? clock.now() + timers.absolute : absoluteDeadline(record, timers),
      write: () => this.#end(userId, selector, means),
    })
  }

  /** What is not this user's (yet) keeps its entry: a sign-in may be about to make it so. */
  async #end(userId: string, selector: Selector, means: Meant['means']): Promise<Revoked> {
    const { store, settings, watchers } = this.#services
    const markerTime = settings.maxRequestTime
    const end = await endMeant(store, { selector, user: userId, reason: 'revoked', markerTime, means })
    if (end === undefined) return { ended: false, durable: true }
    watchers.ended(selector)
    channels.lifecycle.publish({ what: 'revoked' })
    await withdraw(this.#services, userId, selector)
    return { ended: true, durable: end.durable }
  }

  /** Answers whether the session is there to be spared. */
  async #spare(userId: string, { selector, bytes, record }: LiveEntry): Promise<boolean> {
    for (let attempt = 0; attempt < SPARE_ATTEMPTS; attempt++) {
      const { now } = await this.#services.store.epoch()
      const sparedAt = now + SPARED_AHEAD
      const spared = await this.#services.commits.submit(
        selector,
        (found) => (found?.epoch === record.epoch ? { ...found, sparedAt } : { gone: 'superseded' }),
        bytes,
      )
      if ('gone' in spared) return false
      const { notBefore } = await this.#services.store.roll(userId)
      if (notBefore < sparedAt) return true
    }
    return false
  }

  #noSuch(handle: string, reason: EndReason): SessionEndedError {
    return new SessionEndedError(reason, `The user has no live session ${handle}: it ended, or never was theirs.`, {
      handle,
    })
  }
}

function unconfirmed(handle: string): UnconfirmedError {
  return new UnconfirmedError(
    'A change of another session was stored, and too few replicas confirmed it in time: it counts once, and a fail-over now can lose it. Read the session again before repeating it.',
    { handle },
  )
}
