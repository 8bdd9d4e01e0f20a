/**
 * Which cycles a session has open with a state: an index in the store, kept as a user's is, and the limit on it. A cycle
 * that began without a state is in it from its first step on.
 */
import { isEnded } from '../core/record.ts'
import type { RecordBytes, Selector } from '../core/store.ts'
import { ask, askAgain } from './asking.ts'
import { headOf, readRecord, type CycleRecord } from './cycle-record.ts'
import type { CycleError } from './errors.ts'
import { Place } from './place.ts'
import type { Realm } from './realm.ts'

/** An open cycle, as it was found. */
export interface Open<State> {
  readonly place: Place<State>
  readonly bytes: RecordBytes
  readonly record: CycleRecord
}

/** Enters a new cycle in the index while `store` stores it, and makes room for it. Throws `CycleError` at the limit; then it is ended. */
export async function enter<State>(place: Place<State>, store: () => Promise<unknown>): Promise<void> {
  const { realm } = place
  const [count] = await Promise.all([ask(() => entriesOf(realm)), enroll(place), store()])
  if (count < realm.settings.maxOpen) return
  if (await makeRoom(realm, realm.settings.maxOpen)) return
  await place.end('revoked', await realm.services.store.load(place.key))
  await place.withdraw()
  throw full(realm)
}

/** Enters a cycle that is stored already, or is about to be. */
export async function enroll<State>({ realm, key, lifetime }: Place<State>): Promise<void> {
  await askAgain(() => realm.services.store.enroll(realm.index, key, lifetime))
}

/** Makes room for a cycle that is to come, where there are so many entries. Throws `CycleError` at the limit. */
export async function roomFor<State>(realm: Realm<State>, entries: number): Promise<void> {
  const { maxOpen } = realm.settings
  if (entries >= maxOpen && !(await makeRoom(realm, maxOpen - 1))) throw full(realm)
}

/** How many entries the index has; some may be over. */
export async function entriesOf<State>({ services, index }: Realm<State>): Promise<number> {
  const { entries } = await services.store.roll(index)
  return entries.length
}

/** The open cycles of this kind and session, oldest first. */
export async function openOf<State>(realm: Realm<State>): Promise<Open<State>[]> {
  const { store } = realm.services
  const { entries } = await store.roll(realm.index)
  const ordered = entries.toSorted((left, right) => right.age - left.age || (left.selector < right.selector ? -1 : 1))
  const found = await Promise.all(ordered.map(async ({ selector }) => store.load(selector)))
  const over: Selector[] = []
  const open = ordered.flatMap(({ selector, age }, at) => {
    const bytes = found[at]
    if (isOver(realm, bytes, age)) over.push(selector)
    const record = bytes === undefined ? undefined : readRecord(bytes)
    if (bytes === undefined || record?.phase !== 'open') return []
    const place = new Place(realm, record.id)
    return place.expired ? [] : [{ place, bytes, record }]
  })
  // Whoever looks next takes out what stayed.
  await Promise.all(
    over.map(async (selector) => ask(() => store.withdraw(realm.index, selector)).catch(() => undefined)),
  )
  return open
}

/**
 * Ends the oldest cycles in which no step was taken, until `seats` are open. Answers whether that could be: it cannot
 * where steps were taken in as many as may be open.
 */
async function makeRoom<State>(realm: Realm<State>, seats: number): Promise<boolean> {
  const open = await openOf(realm)
  const idle = open.filter(({ record }) => record.step === undefined)
  if (open.length - idle.length >= realm.settings.maxOpen) return false
  let crowd = open.length - seats
  for (const { place, bytes } of idle) {
    if (crowd <= 0) break
    const ended = await place.end('revoked', bytes)
    if (ended === 'stored') await place.withdraw()
    // One in which a step was taken meanwhile stays. One whose final step was begun stays too, and is not open any more.
    else if (ended.found !== undefined && headOf(ended.found)?.phase === 'open') continue
    crowd--
  }
  return true
}

/** Whether nothing of it will ever be open again. One that is not there may be on its way; one that runs may be opened again. */
function isOver<State>(realm: Realm<State>, bytes: RecordBytes | undefined, age: number): boolean {
  if (bytes === undefined) return age > realm.services.settings.maxRequestTime
  const phase = headOf(bytes)?.phase
  return isEnded(bytes) || phase === 'done' || phase === 'failed'
}

function full<State>(realm: Realm<State>): CycleError {
  return realm.error(
    'ERR_CYCLE_LIMIT',
    `${realm.settings.maxOpen} cycles are open in this session, and steps were taken in all of them (maxOpen).`,
  )
}
