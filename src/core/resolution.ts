/** Which of the ids that a browser brought is its session. The highest rank with a live record is. */
import * as channels from '../telemetry/channels.ts'
import { standingOf as bytesStanding, type Gone } from './commits.ts'
import type { GenuineId } from './cookie.ts'
import { isOver } from './expiry.ts'
import type { LiveRecord } from './live-record.ts'
import { noticeLoss } from './lost-writes.ts'
import { endedMarker, versionOf } from './record.ts'
import type { Presented } from './presented.ts'
import type { Services } from './services.ts'
import { handleOf } from './session-id.ts'
import type { Awaitable, RecordBytes, Selector } from './store.ts'
import { standingOf } from './succession.ts'

/** A live session that the request may use. */
export interface Live {
  readonly what: 'live'
  readonly id: GenuineId
  readonly record: LiveRecord
  readonly bytes: RecordBytes
  /** Whether the id is the valid one, or the one before it within its grace. */
  readonly by: 'current' | 'previous'
}

/**
 * No live session. `over`: the session is gone, and a new one may begin. `detached`: an id that another has
 * superseded, or that cannot be judged here; nothing may be stored under it, nor any cookie changed for it.
 */
export type Resolution = Live | { readonly what: 'over' | 'detached'; readonly dead: readonly Selector[] }

/** How long a dead id is remembered in this process, in milliseconds. */
const DEAD_FOR = 2_000
const DEAD_MOST = 10_000

/** Selectors that were found dead a moment ago. */
export class DeadIds {
  readonly #until = new Map<Selector, number>()

  has(selector: Selector): boolean {
    const until = this.#until.get(selector)
    if (until === undefined) return false
    if (performance.now() < until) return true
    this.#until.delete(selector)
    return false
  }

  add(selector: Selector): void {
    if (this.#until.size >= DEAD_MOST) this.#until.delete(this.#until.keys().next().value as Selector)
    this.#until.set(selector, performance.now() + DEAD_FOR)
  }
}

/** What an id leads to. */
type Judged = Live | 'over' | 'detached' | 'stolen'

/** What is known of one id already. */
interface Known {
  readonly selector: Selector
  readonly found: Judged
  readonly bytes: RecordBytes | undefined
}

/**
 * Finds the session of a request. Asks the store once for each selector at most; where it answers at once, and the
 * browser brought one id of a live session, so does this.
 */
export function resolve(
  services: Services,
  presented: Presented,
  dead: DeadIds,
  through: boolean,
): Awaitable<Resolution> {
  const { sid, gid } = presented.ids
  const id = sid.length + gid.length === 1 ? (sid[0] ?? gid[0]) : undefined
  if (id === undefined || presented.unknownKey || dead.has(id.selector) || services.ends.isPending(id.selector))
    return resolveEach(services, presented, dead, through)
  const judged = (bytes: RecordBytes | undefined): Awaitable<Resolution> => {
    noticeLoss(services, presented, id.selector, bytes)
    const found = judge(services, id, bytes)
    if (typeof found !== 'string') return found
    services.copies?.forget(id.selector)
    return resolveEach(services, presented, dead, true, { selector: id.selector, found, bytes })
  }
  const loading = services.store.load(id.selector)
  return loading instanceof Promise ? loading.then(judged) : judged(loading)
}

async function resolveEach(
  services: Services,
  presented: Presented,
  dead: DeadIds,
  through: boolean,
  known?: Known,
): Promise<Resolution> {
  const gone: Selector[] = []
  let detached = presented.unknownKey
  for (const rank of ['sid', 'gid'] as const) {
    const live: Live[] = []
    for (const id of presented.ids[rank]) {
      if (gone.includes(id.selector)) continue
      const over = (!through && dead.has(id.selector)) || services.ends.isPending(id.selector)
      const found = over ? 'over' : await judgeOrEnd(services, presented, id, known)
      if (found === 'over') dead.add(id.selector)
      if (found === 'over') gone.push(id.selector)
      else if (found === 'detached') detached = true
      else live.push(found)
    }
    const [first] = live
    // A cookie of this rank may be good on a server that has its secret: what ranks below must not stand in for it.
    if (first === undefined && presented.unknownRanks.includes(rank)) return { what: 'detached', dead: gone }
    if (first === undefined) continue
    if (live.every((other) => other.id.selector === first.id.selector)) return first
    channels.ambiguous.publish({ handles: live.map(({ id, record }) => handleOf(id.selector, record.epoch)) })
    services.settings.log.warn(
      { cookie: rank },
      'A browser brought two live sessions of different identity; neither was used.',
    )
    return { what: 'detached', dead: gone }
  }
  return { what: detached ? 'detached' : 'over', dead: gone }
}

/**
 * The session of a request as far as copies tell, for when the store cannot be asked. `undefined`: they do not, because
 * an id came that may be good and has no copy, or because the copy says anything but that it is.
 */
export function resolveCopies(services: Services, presented: Presented): Resolution | undefined {
  const { copies, ends } = services
  if (copies === undefined || presented.unknownKey) return undefined
  const gone: Selector[] = []
  for (const rank of ['sid', 'gid'] as const) {
    let first: Live | undefined
    for (const id of presented.ids[rank]) {
      if (ends.isPending(id.selector)) {
        gone.push(id.selector)
        continue
      }
      const bytes = copies.of(id.selector)
      const found = bytes === undefined ? undefined : judge(services, id, bytes)
      if (found === undefined || typeof found === 'string') return undefined
      if (first !== undefined && first.id.selector !== id.selector) return undefined
      first = found
    }
    if (first !== undefined) return first
  }
  return { what: 'over', dead: gone }
}

async function judgeOrEnd(
  services: Services,
  presented: Presented,
  id: GenuineId,
  known: Known | undefined,
): Promise<Live | 'over' | 'detached'> {
  const seen = known?.selector === id.selector ? known : undefined
  const bytes = seen === undefined ? await services.store.load(id.selector) : seen.bytes
  if (seen === undefined) noticeLoss(services, presented, id.selector, bytes)
  const found = seen?.found ?? judge(services, id, bytes)
  if (found !== 'stolen') return found
  if (!services.settings.endOnTheft || bytes === undefined) return 'detached'
  return endStolen(services, id, bytes)
}

/** Ends the session whose id came back, and no other: not the one that somebody has signed in to meanwhile. */
async function endStolen(services: Services, id: GenuineId, bytes: RecordBytes): Promise<'over' | 'detached'> {
  const { settings, store, watchers, clock } = services
  let version = versionOf(bytes)
  for (;;) {
    const swap = await store.end(id.selector, endedMarker('revoked'), settings.maxRequestTime, { version })
    if (swap.done) {
      watchers.ended(id.selector)
      return 'over'
    }
    const standing = bytesStanding(swap.found)
    if (!('record' in standing)) return standing.gone === 'unreadable' ? 'detached' : 'over'
    if (standingOf(standing.record, id.hash, clock.now()) !== 'after-grace') return 'detached'
    version = versionOf(standing.bytes)
  }
}

class Living implements Live {
  readonly what = 'live'
  readonly id: GenuineId
  readonly record: LiveRecord
  readonly bytes: RecordBytes
  readonly by: 'current' | 'previous'

  constructor(id: GenuineId, record: LiveRecord, bytes: RecordBytes, by: 'current' | 'previous') {
    this.id = id
    this.record = record
    this.bytes = bytes
    this.by = by
  }
}

/** What an id leads to, given what the store has under its selector. */
export function judge(services: Services, id: GenuineId, bytes: RecordBytes | undefined): Judged {
  const { clock } = services
  const standing = services.standings?.of(id.selector, bytes) ?? bytesStanding(bytes)
  if ('gone' in standing) {
    if (standing.gone !== 'unreadable') return 'over'
    channels.unreadable.publish({ handle: handleOf(id.selector, 0), why: 'unknown format' })
    return 'detached'
  }
  const { record } = standing
  const now = clock.now()
  if (overBy(services, record, now) !== undefined) return 'over'
  const by = standingOf(record, id.hash, now)
  if (by === 'current' || by === 'previous') return new Living(id, record, standing.bytes, by)
  if (by !== 'after-grace') return 'detached'
  suspect(services, id, record)
  return 'stolen'
}

/** Why a live record is no session any more: its time is up, or everything of its time was revoked. */
export function overBy(services: Services, record: LiveRecord, now: number): Gone | undefined {
  if (isOver(record, services.settings.timers, now)) return { gone: 'expired' }
  return isBefore(record, services.heartbeat.epoch) ? { gone: 'revoked' } : undefined
}

/** Whether the visit began at or before the deployment's epoch. */
export function isBefore(record: LiveRecord, epoch: number): boolean {
  return epoch > 0 && (record.signedInAt ?? record.createdAt) <= epoch
}

function suspect(services: Services, id: GenuineId, record: LiveRecord): void {
  const handle = handleOf(id.selector, record.epoch)
  channels.theft.publish({ handle, userId: record.userId })
  services.settings.log.warn({ handle }, 'An id came back after its grace time: it may have been stolen.')
}
