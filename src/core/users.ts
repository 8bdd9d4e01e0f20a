/** The sessions of a user: list, revoke, change. The index says where they are; the records say what they are. */
import {
  DataError,
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
import { decode } from './codec.ts'
import { absoluteDeadline, isBarred, touchInterval } from './expiry.ts'
import type { LiveRecord } from './live-record.ts'
import { endedMarker } from './record.ts'
import { overBy } from './resolution.ts'
import type { Services } from './services.ts'
import { SessionData, type DataRules } from './session-data.ts'
import { handleOf } from './session-id.ts'
import { refusePromise } from './carried-data.ts'
import type { Durable, RecordBytes, Selector } from './store.ts'

/** How far ahead of a revocation the session that it spares is moved, in milliseconds. */
const SPARED_AHEAD = 5_000
const SPARE_ATTEMPTS = 3

/** Whether there was something of the user's to end, and whether its end is durable. */
type Revoked = { readonly ended: boolean } & Durable

interface Entry {
  readonly selector: Selector
  readonly record: LiveRecord
  readonly bytes: RecordBytes
  readonly handle: string
}

export class Users<Data extends object> {
  readonly #services: Services
  readonly #rules: DataRules<Data>

  constructor(services: Services, rules: DataRules<Data>) {
    this.#services = services
    this.#rules = rules
  }

  async list(userId: string): Promise<SessionSummary<Data>[]> {
    const entries = await this.#entries(userId)
    const summaries = await Promise.all(entries.map((entry) => this.#summary(entry)))
    return summaries.toSorted((left, right) => right.signedInAt.getTime() - left.signedInAt.getTime())
  }

  async revoke(userId: string, handle: string): Promise<Revoked> {
    const entry = await this.#find(userId, handle)
    return entry === undefined ? { ended: false, durable: true } : this.#revoke(userId, entry.selector, entry.record)
  }

  /** Bars what was signed in until now, then ends it. The spared session is moved ahead of the bar first. */
  async revokeUser(userId: string, except?: string): Promise<{ readonly ended: number } & Durable> {
    const { store } = this.#services
    const found = except === undefined ? undefined : await this.#find(userId, except)
    const spared = found !== undefined && (await this.#spare(userId, found)) ? found : undefined
    const { entries, durable: barred } = await store.bar(userId, this.#lifetime)
    let [ended, durable] = [0, barred]
    let pending: EndPendingError | undefined
    for (const { selector } of entries) {
      if (selector === spared?.selector) continue
      try {
        const standing = await this.#peek(selector)
        const one = await this.#revoke(userId, selector, 'record' in standing ? standing.record : undefined)
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
        const stored = decode(record.payload) as Data
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

  get #lifetime(): number {
    const { timers, maxRequestTime } = this.#services.settings
    return timers.absolute + maxRequestTime
  }

  /** The user's live sessions. An entry without a record is dropped, once no write that is still under way can bring the record. */
  async #entries(userId: string): Promise<Entry[]> {
    const { store, clock, settings, ends } = this.#services
    const { entries, notBefore } = await store.roll(userId)
    const found: Entry[] = []
    for (const { selector, age } of entries) {
      if (ends.isPending(selector)) continue
      const standing = standingOf(await store.load(selector))
      if ('gone' in standing) {
        if (age > settings.maxRequestTime) await store.withdraw(userId, selector)
        continue
      }
      const { record, bytes } = standing
      const theirs = record.userId === userId && !isBarred(record, notBefore)
      if (theirs && overBy(this.#services, record, clock.now()) === undefined)
        found.push({ selector, record, bytes, handle: handleOf(selector, record.epoch) })
    }
    return found
  }

  async #find(userId: string, handle: string): Promise<Entry | undefined> {
    return (await this.#entries(userId)).find((entry) => entry.handle === handle)
  }

  async #summary({ selector, record, handle }: Entry): Promise<SessionSummary<Data>> {
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
      return decode(payload) as Data
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      channels.unreadable.publish({ handle, why: 'undecodable data' })
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
  #revoke(userId: string, selector: Selector, record: LiveRecord | undefined): Promise<Revoked> {
    const { clock, settings } = this.#services
    const { timers } = settings
    return endOrKeep(this.#services, 'revoked', {
      selector,
      handle: record === undefined ? undefined : handleOf(selector, record.epoch),
      until: record === undefined ? clock.now() + timers.absolute : absoluteDeadline(record, timers),
      write: () => this.#end(userId, selector, 'revoked'),
    })
  }

  /** What is not this user's (yet) keeps its entry: a sign-in may be about to make it so. */
  async #end(userId: string, selector: Selector, reason: EndReason): Promise<Revoked> {
    const { store, settings, watchers } = this.#services
    const swap = await store.end(selector, endedMarker(reason), settings.maxRequestTime, { user: userId })
    if (!swap.done) return { ended: false, durable: true }
    watchers.ended(selector)
    channels.lifecycle.publish({ what: 'revoked' })
    await withdraw(this.#services, userId, selector)
    return { ended: true, durable: swap.durable }
  }

  /** Answers whether the session is there to be spared. */
  async #spare(userId: string, { selector, bytes, record }: Entry): Promise<boolean> {
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
