/** Which of the ids that a browser brought is its session. The highest rank with a live record is. */
import * as channels from '../telemetry/channels.ts'
import { standingOf as standingIn, type Gone, type Standing, type Stored } from './commits.ts'
import type { GenuineId } from './cookie.ts'
import { isOver } from './expiry.ts'
import { floorOf } from './floor.ts'
import type { LiveRecord } from './live-record.ts'
import { noticeLoss } from './lost-writes.ts'
import type { NearCache } from './near-cache.ts'
import { endedMarker, versionOf } from './record.ts'
import type { Presented } from './presented.ts'
import type { Services } from './services.ts'
import { handleOf } from './session-id.ts'
import type { Awaitable, RecordBytes, Selector } from './store.ts'
import { comesAfter, standingOf } from './succession.ts'

/** A live session that the request may use. */
export interface Live {
  readonly what: 'live'
  readonly id: GenuineId
  readonly record: LiveRecord
  readonly bytes: RecordBytes
  readonly stored: Stored
  /** Whether the id is the valid one, or the one before it within its grace. */
  readonly by: 'current' | 'previous'
  /** Whether an earlier request found that nothing is due for the session, and nothing is yet. */
  readonly quiet: boolean
  /** Nothing is due for the session until then, under this epoch of the deployment: no touch, no renewal, no end. */
  rest(now: number, until: number, epoch: number): void
  /** Whether that still holds. */
  rests(now: number, epoch: number): boolean
}

/**
 * No live session. `over`: the session is gone, or the store has lost it, and a new one may begin. `detached`: an id that
 * another has superseded, or that cannot be judged here; nothing may be stored under it, nor any cookie changed for it.
 */
export type Resolution = Live | { readonly what: 'over' | 'detached'; readonly dead: readonly Selector[] }

/** How long a dead id is remembered in this process, in milliseconds. */
const DEAD_FOR = 2_000
const DEAD_MOST = 10_000
/** How long a primary that was replaced may be asked, in milliseconds. */
const BEHIND_MOST = 15_000
/** The largest record that stays with its id, in bytes. */
const STORED_MOST = 1_024

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

/** What an id leads to. `lost`: the store is back in a state from before the id. */
type Judged = Live | 'over' | 'detached' | 'stolen' | 'lost'

/** What is known of one id already. */
interface Known {
  readonly selector: Selector
  readonly found: Judged
  readonly standing: Standing
}

/**
 * Finds the session of a request. Asks the store once for each selector at most; where it, or the near cache, answers at
 * once, and the browser brought one id of a live session, so does this. `through`: nothing that was read before this
 * request will do.
 */
export function resolve(
  services: Services,
  presented: Presented,
  dead: DeadIds,
  through: boolean,
): Awaitable<Resolution> {
  const id = presented.only
  if (id === undefined || dead.has(id.selector) || services.ends.isPending(id.selector))
    return resolveEach(services, presented, dead, through)
  const { near, store } = services
  // What is read through is mostly changed next, so that news of it would be of this process's own doing.
  if (near !== undefined && !through) return resolveNear(services, near, presented, dead, id)
  const loading = store.load(id.selector)
  return loading instanceof Promise
    ? loading.then((bytes) => conclude(services, presented, dead, id, standingIn(bytes)))
    : conclude(services, presented, dead, id, store.steady ? readAgain(id, loading) : standingIn(loading))
}

/** The session as this process knows it from a moment ago, or as the store has it, read alone or together with others. */
function resolveNear(
  services: Services,
  near: NearCache,
  presented: Presented,
  dead: DeadIds,
  id: GenuineId,
): Awaitable<Resolution> {
  const version = floorOf(presented.floors, id.selector)?.version
  const known = version === undefined ? undefined : near.get(id.selector, version)
  const live = known === undefined ? undefined : weigh(services, id, known)
  // It may have been renewed since, or be over: what is to be done about that is not for a copy to say.
  if (typeof live === 'object') return live
  return near.look(id.selector, version).then(({ standing, own }) => {
    if (own) return conclude(services, presented, dead, id, standing)
    const joined = weigh(services, id, standing)
    return typeof joined === 'string' ? resolveEach(services, presented, dead, true) : joined
  })
}

/** What the one id leads to, given what the store has just answered. */
function conclude(
  services: Services,
  presented: Presented,
  dead: DeadIds,
  id: GenuineId,
  standing: Standing,
): Awaitable<Resolution> {
  const found = judge(services, id, standing)
  noticeLoss(services, presented, id, standing, found === 'lost')
  if (typeof found !== 'string') return found
  services.copies?.forget(id.selector)
  return resolveEach(services, presented, dead, true, { selector: id.selector, found, standing })
}

/** Reads what the store answered; the very same object as before is read already. */
export function readAgain(id: GenuineId, bytes: RecordBytes | undefined): Standing {
  if (bytes !== undefined && id.stored?.bytes === bytes) return id.stored
  const standing = standingIn(bytes)
  // Ids are remembered by their number, so what stands with each has to be small.
  id.stored = 'record' in standing && standing.bytes.length <= STORED_MOST ? standing : undefined
  return standing
}

async function resolveEach(
  services: Services,
  presented: Presented,
  dead: DeadIds,
  through: boolean,
  known?: Known,
): Promise<Resolution> {
  const gone: Selector[] = []
  // A lower cookie may lead to what the store still has of the same visit; where it does not, it is from before.
  const lost: Selector[] = []
  let detached = presented.unknownKey
  for (const rank of ['sid', 'gid'] as const) {
    const live: Live[] = []
    for (const id of presented.ids[rank]) {
      if (gone.includes(id.selector)) continue
      const over = (!through && dead.has(id.selector)) || services.ends.isPending(id.selector)
      const found = over ? 'over' : await judgeOrEnd(services, presented, id, known)
      if (found === 'over') dead.add(id.selector)
      if (found === 'lost') services.copies?.forget(id.selector)
      if (found === 'over') gone.push(id.selector)
      else if (found === 'lost') lost.push(id.selector)
      else if (found === 'detached') detached ||= !lost.includes(id.selector)
      else live.push(found)
    }
    const [first] = live
    // A cookie of this rank may be good on a server that has its secret: what ranks below must not stand in for it.
    if (first === undefined && presented.unknownRanks.includes(rank))
      return { what: 'detached', dead: [...gone, ...lost] }
    if (first === undefined) continue
    if (live.every((other) => other.id.selector === first.id.selector)) return first
    channels.ambiguous.publish({ handles: live.map(({ id, record }) => handleOf(id.selector, record.epoch)) })
    services.settings.log.warn(
      { cookie: rank },
      'A browser brought two live sessions of different identity; neither was used.',
    )
    return { what: 'detached', dead: [...gone, ...lost] }
  }
  return { what: detached ? 'detached' : 'over', dead: [...gone, ...lost] }
}

/**
 * The session of a request as far as copies tell, for when the store cannot be asked. `undefined`: they do not, because
 * an id came that may be good and has no copy, because the copy says anything but that it is, or because its browser was
 * shown a later version.
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
      const found = bytes === undefined ? undefined : judge(services, id, standingIn(bytes))
      if (found === undefined || typeof found === 'string') return undefined
      if (found.record.counter < (floorOf(presented.floors, id.selector)?.version ?? 0)) return undefined
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
): Promise<Exclude<Judged, 'stolen'>> {
  const seen = known?.selector === id.selector ? known : undefined
  const standing = seen?.standing ?? standingIn(await services.store.load(id.selector))
  const found = seen?.found ?? judge(services, id, standing)
  if (seen === undefined) noticeLoss(services, presented, id, standing, found === 'lost')
  if (found !== 'stolen') return found
  if (!services.settings.endOnTheft || 'gone' in standing) return 'detached'
  return endStolen(services, id, standing.bytes)
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
    const standing = standingIn(swap.found)
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
  readonly stored: Stored
  readonly by: 'current' | 'previous'
  quiet = false
  // In whole seconds: a small integer stands in the object itself, and milliseconds would be one more place to look at.
  #from = 0
  #until = 0
  /** The deployment's epoch under which it rests. */
  #epoch = 0

  constructor(id: GenuineId, stored: Stored, by: 'current' | 'previous') {
    this.id = id
    this.record = stored.record
    this.bytes = stored.bytes
    this.stored = stored
    this.by = by
  }

  rest(now: number, until: number, epoch: number): void {
    this.#from = Math.floor(now / 1000)
    this.#until = Math.floor(until / 1000)
    this.#epoch = epoch
    this.quiet = true
    this.stored.quiet = this
  }

  /** Whether it rests. Not before it began to, either: a clock may have been put back. */
  rests(now: number, epoch: number): boolean {
    const second = Math.floor(now / 1000)
    return second >= this.#from && second < this.#until && epoch === this.#epoch
  }
}

/** What an id leads to, given what the store has under its selector. Tells of what is wrong with either. */
export function judge(services: Services, id: GenuineId, standing: Standing): Judged {
  const found = weigh(services, id, standing)
  if (found === 'stolen' && 'record' in standing) suspect(services, id, standing.record)
  if ('gone' in standing && standing.gone === 'unreadable')
    channels.unreadable.publish({ handle: handleOf(id.selector, 0), why: 'unknown format' })
  return found
}

/** The same, and tells nobody. */
function weigh(services: Services, id: GenuineId, standing: Standing): Judged {
  if ('gone' in standing) return standing.gone === 'unreadable' ? 'detached' : 'over'
  const { record, quiet } = standing
  const now = services.clock.now()
  if (quiet !== undefined && quiet.id === id && quiet.rests(now, services.heartbeat.epoch)) return quiet
  if (overBy(services, record, now) !== undefined) return 'over'
  const by = standingOf(record, id.hash, now)
  if (by === 'current' || by === 'previous') return new Living(id, standing, by)
  if (by === 'after-grace') return 'stolen'
  return comesAfter(id, record) && !mayBeBehind(services, id, now) ? 'lost' : 'detached'
}

/**
 * Whether it may be this server that is behind, and not the store: it asks a primary that was replaced, and knows nothing of an
 * id that another server has just issued. A guest's new id would take the good one's place; a user's ranks above it.
 */
function mayBeBehind({ store }: Services, { rank, mintedAt }: GenuineId, now: number): boolean {
  return store.mayLose && rank === 'gid' && now - mintedAt < BEHIND_MOST
}

/** Why a live record is no session any more: its time is up, or everything of its time was revoked. */
export function overBy(
  { settings, heartbeat }: Pick<Services, 'settings' | 'heartbeat'>,
  record: LiveRecord,
  now: number,
): Gone | undefined {
  if (isOver(record, settings.timers, now)) return { gone: 'expired' }
  return isBefore(record, heartbeat.epoch) ? { gone: 'revoked' } : undefined
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
