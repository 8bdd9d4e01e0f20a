/** For whom a request speaks: the visit that it holds, the state of its session, and the cookies that its answer takes along. */
import type { Lineage } from '../csrf/token.ts'
import type { SessionStatus } from '../types.ts'
import { standingOf as bytesStanding, type Gone } from './commits.ts'
import { sealId, setCookie, type GenuineId, type Rank } from './cookie.ts'
import { timeToLive } from './expiry.ts'
import { sealFloor, Shown } from './floor.ts'
import type { LiveRecord } from './live-record.ts'
import type { OldCookies } from './old-cookies.ts'
import type { Presented } from './presented.ts'
import { overBy, type Live } from './resolution.ts'
import type { Services } from './services.ts'
import { freshVerifier, handleOf, hashVerifier, type Verifier } from './session-id.ts'
import type { RecordBytes, Selector } from './store.ts'
import { firstRecord, standingOf, validVerifier } from './succession.ts'

/** The live session of a request. */
export interface Holding {
  readonly id: GenuineId
  readonly record: LiveRecord
  readonly bytes: RecordBytes
}

/** The id of a visitor with nothing stored. `known`: the browser brought it. */
export interface Visitor {
  readonly id: GenuineId
  readonly known: boolean
}

/** Taken from how long a write lasts, for clocks that differ a little and answers that take a while; in milliseconds. */
const STANDS_SLACK = 10_000

export class Identity {
  status: SessionStatus = 'none'
  /** Whether what is stored is dropped and no cookie of a session may be issued: the id was superseded, or cannot be judged. */
  detached = false
  holding: Holding | undefined
  /** Whose the data are that this request has loaded; outlives the loss of the session. */
  owner: string | undefined
  /** What was held before it was lost, so that it can still be signed out. */
  lost: Holding | undefined
  /** What the browser brought of another library's sessions. */
  readonly old: OldCookies | undefined
  readonly #services: Services
  readonly #presented: Presented
  /** What the browser has seen of its session, where the store may lose what it acknowledged. */
  #shown: Shown | undefined
  #visitor: Visitor | undefined
  /** The id that the answer brings, and until when it is worth bringing. */
  #issue: { readonly rank: Rank; readonly id: GenuineId; readonly until?: number } | undefined
  #cleared = false

  constructor(services: Services, presented: Presented, old?: OldCookies) {
    this.#services = services
    this.old = old
    this.#presented = presented
    const id = presented.visitor
    this.#visitor = id === undefined ? undefined : { id, known: true }
    this.detached = presented.unknownKey
    this.#shown = services.store.mayLose ? new Shown(presented.floors) : undefined
  }

  get handle(): string | undefined {
    return this.holding === undefined ? undefined : handleOf(this.holding.id.selector, this.holding.record.epoch)
  }

  /** Whether the answer takes a cookie along. */
  get hasCookies(): boolean {
    return this.#issue !== undefined || this.#cleared || this.#bringsFloor
  }

  /** The browser brought the id of a live session. */
  begin(live: Live): void {
    this.holding = live
    this.owner = live.record.userId
    this.status = 'live'
    this.detached = false
    this.#shown?.read(live.id.selector, live.record)
    if (live.by !== 'previous') return
    this.learn(live.record, live.bytes)
    // A slow answer must not bring an id that has been renewed, and has lost its grace, meanwhile.
    const { clock, settings } = this.#services
    if (this.#issue !== undefined) this.#issue = { ...this.#issue, until: clock.now() + settings.timers.grace }
  }

  /** The store fails, and the id that the browser brought is that of a copy from before. */
  beginCopy(live: Live): void {
    this.holding = live
    this.owner = live.record.userId
    this.status = 'stale'
    this.detached = false
  }

  /** The browser brought ids, and none of them leads to a live session. */
  lapse(dead: readonly Selector[], detached: boolean): void {
    this.status = 'lapsed'
    this.detached = detached
    if (this.#visitor !== undefined && dead.includes(this.#visitor.id.selector)) this.#visitor = undefined
  }

  /** The session ended or was taken over while the request was under way. */
  lose(): void {
    this.lost = this.holding ?? this.lost
    this.holding = undefined
    this.status = 'lapsed'
    this.detached = true
    this.#issue = undefined
  }

  /** The session had been ended before the request came: a new one may begin. */
  outlive(): void {
    const dead = this.holding === undefined ? [] : [this.holding.id.selector]
    this.holding = undefined
    this.owner = undefined
    this.#issue = undefined
    this.lapse(dead, false)
  }

  /** Signed out: nothing is stored, and the browser is to forget what it has. */
  leave(): void {
    this.clear()
    this.holding = undefined
    this.lost = undefined
    this.owner = undefined
    this.#visitor = undefined
    this.#issue = undefined
    this.status = 'none'
    this.detached = false
  }

  /** The browser is to forget our cookies, whatever becomes of the session. */
  clear(): void {
    this.#cleared = true
  }

  /** A new visit under an id of its own, for a visitor whose ids lead to nothing. */
  startOver(): Visitor {
    this.holding = undefined
    this.#visitor = { id: this.#mint(), known: false }
    return this.#visitor
  }

  /** The visitor's id, made now where there is none. */
  visitor(): Visitor {
    return this.#visitor ?? this.startOver()
  }

  /** Takes note of what is stored now, and issues its id where the browser has another. `fresh`: a verifier that this request made. */
  learn(record: LiveRecord, bytes: RecordBytes, fresh?: Verifier): void {
    const held = this.holding?.id ?? this.visitor().id
    const known = this.holding !== undefined || (this.#visitor?.known ?? false)
    const verifier = fresh ?? validVerifier(this.#services.keyring, record, held)
    const rank: Rank = record.userId === undefined ? 'gid' : 'sid'
    const id =
      verifier === undefined
        ? held
        : { rank, selector: held.selector, verifier, hash: hashVerifier(verifier), mintedAt: record.idMintedAt }
    this.holding = { id, record, bytes }
    this.owner = record.userId
    this.status = 'live'
    this.detached = false
    if (verifier !== undefined && !(known && verifier.equals(held.verifier))) this.#issue = { rank, id }
  }

  /** Takes note of a newer state of the same session. */
  refresh(record: LiveRecord, bytes: RecordBytes): void {
    if (this.holding !== undefined) {
      const { id, record: known } = this.holding
      const shown = this.#shown?.read(id.selector, record)
      if (shown !== undefined)
        this.#services.lostWrites.noticed(id.selector, known.epoch, { shown, found: record.counter })
      this.holding = { id, record, bytes }
    }
    if (this.status === 'stale') this.status = 'live'
  }

  /** The store has acknowledged what is held. */
  wrote(): void {
    if (this.holding === undefined || this.#shown === undefined) return
    const { id, record } = this.holding
    const { clock, settings } = this.#services
    const now = clock.now()
    const lasts = Math.min(timeToLive(record, settings.timers, now), settings.maxRequestTime) - STANDS_SLACK
    this.#shown.wrote(id.selector, record, lasts > 0 ? now + lasts : 0)
  }

  /** The answer brings no new id: the one that the browser has serves on. */
  withhold(): void {
    this.#issue = undefined
  }

  /** The store has failed this request: its answer leaves what the browser has as it is. */
  failed(): void {
    this.#shown = undefined
  }

  /** The ids of sessions that the browser brought. */
  presentedIds(): readonly GenuineId[] {
    return [...this.#presented.ids.sid, ...this.#presented.ids.gid]
  }

  /** What a change of this request builds on, if it still has a right to what is stored. */
  foundation(record: LiveRecord | undefined, now: number): LiveRecord | Gone {
    if (this.holding !== undefined) {
      if (record === undefined) return { gone: 'absent' }
      if (record.epoch !== this.holding.record.epoch) return { gone: 'superseded' }
      return overBy(this.#services, record, now) ?? record
    }
    const { id, known } = this.visitor()
    // What begins after a revocation of everything is not of its time, even within the same millisecond.
    const begun = Math.max(now, this.#services.heartbeat.epoch + 1)
    if (record === undefined) return firstRecord(this.#services, id, known, new Uint8Array(), begun)
    const standing = standingOf(record, id.hash, now)
    const ours = known && record.epoch === 0 && (standing === 'current' || standing === 'previous')
    return ours ? record : { gone: 'superseded' }
  }

  /** What CSRF tokens are bound to; `undefined` while the browser has no id of ours. */
  lineage(): Lineage | undefined {
    if (this.holding !== undefined) return lineageOf(this.holding.id.selector, this.holding.record)
    return this.#visitor === undefined ? undefined : { selector: this.#visitor.id.selector, epoch: 0, signedIn: false }
  }

  /**
   * Whether the browser has a right to what its lineage names, and not only to a token. A live session has shown that. A
   * visitor's id may have been outgrown by a session under the same key, and a copy by what became of its session: then
   * the store is asked. Rejects where it fails.
   */
  async entitled(): Promise<boolean> {
    const { holding } = this
    if (holding !== undefined && this.status === 'live') return true
    const id = holding?.id ?? (this.#visitor?.known === true ? this.#visitor.id : undefined)
    if (id === undefined) return true
    const { store, ends, clock } = this.#services
    const standing = bytesStanding(await store.load(id.selector))
    if (ends.isPending(id.selector)) return false
    if ('gone' in standing) return holding === undefined && standing.gone === 'absent'
    const { record } = standing
    const by = standingOf(record, id.hash, clock.now())
    if (record.epoch !== (holding?.record.epoch ?? 0) || (by !== 'current' && by !== 'previous')) return false
    return overBy(this.#services, record, clock.now()) === undefined
  }

  /** The lineage for a new token. A visitor who has no id yet is given one with this answer. */
  issueLineage(): Lineage {
    const lineage = this.lineage()
    if (lineage !== undefined) return lineage
    const { id } = this.startOver()
    if (!this.#presented.unknownKey) this.#issue = { rank: 'visit', id }
    return { selector: id.selector, epoch: 0, signedIn: false }
  }

  /** The `Set-Cookie` values of the answer. `issuing`: whether it takes the id along too, or only what is cleared counts. */
  cookies(issuing = true): readonly string[] {
    const { transport, names } = this.#presented
    if (transport === 'none') return []
    const style = { secure: transport === 'host', sameSite: this.#services.settings.sameSite }
    const until = this.#issue?.until
    const issue = until !== undefined && this.#services.clock.now() >= until ? undefined : this.#issue
    const floor =
      this.#bringsFloor && this.holding !== undefined ? this.#shown?.floor(this.holding.id.selector) : undefined
    const set: { readonly rank: Rank; readonly value: string }[] = []
    const { keyring } = this.#services
    if (issue !== undefined) set.push({ rank: issue.rank, value: sealId(keyring, issue.rank, issue.id) })
    if (floor !== undefined) set.push({ rank: 'visit', value: sealFloor(keyring, floor) })
    const cleared = this.#cleared ? this.#presented.brought.filter((rank) => !set.some((one) => one.rank === rank)) : []
    // Together with the id that takes their place, never without it.
    const old = this.old !== undefined && (this.#cleared || (issuing && this.old.replaced && issue !== undefined))
    return [
      ...cleared.map((rank) => setCookie(names[rank], undefined, style)),
      ...(old ? (this.old?.clearing() ?? []) : []),
      ...set.map(({ rank, value }) => setCookie(names[rank], value, style)),
    ]
  }

  /** Whether the answer says which version the browser has seen now. It puts no visitor's id out that it cannot judge. */
  get #bringsFloor(): boolean {
    if (this.#shown === undefined || this.holding === undefined) return false
    return !this.#presented.unknownRanks.includes('visit') && this.#shown.isDue(this.holding.id.selector)
  }

  #mint(): GenuineId {
    const { selectors, random, clock } = this.#services
    const verifier = freshVerifier(random)
    return { rank: 'visit', selector: selectors.mint(), verifier, hash: hashVerifier(verifier), mintedAt: clock.now() }
  }
}

function lineageOf(selector: Selector, record: LiveRecord): Lineage {
  return { selector, epoch: record.epoch, signedIn: record.userId !== undefined }
}
