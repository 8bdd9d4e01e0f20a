/**
 * Which cycles a session has open with a state: an index in the store, kept as a user's is, and the limit on it. A cycle
 * without a state is nowhere until its end, and so in no index.
 */
import { endedMarker, isEnded } from '../core/record.ts'
import type { Selector } from '../core/store.ts'
import { decodeCycle } from './cycle-record.ts'
import type { Place } from './place.ts'

/** An open cycle, as the limit looks at it. */
interface Open {
  readonly selector: Selector
  readonly age: number
  /** Whether nothing but its beginning was ever written. */
  readonly untouched: boolean
}

/** Enters a new cycle in the index, at the same time as `store` stores it, and makes room for it. Throws `CycleError` at the limit. */
export async function enter<State>(place: Place<State>, store: () => Promise<void>): Promise<void> {
  const { services, settings, index, key } = place
  const [roll] = await Promise.all([
    services.store.roll(index),
    services.store.enroll(index, key, place.lifetime),
    store(),
  ])
  if (roll.entries.length < settings.maxOpen) return
  const open = await openOf(place)
  const crowd = open.length - settings.maxOpen
  if (crowd <= 0) return
  const idle = open.filter((other) => other.untouched && other.selector !== key).slice(0, crowd)
  if (idle.length === crowd) {
    for (const { selector } of idle) await leave(place, selector, 'revoked')
    return
  }
  await leave(place, key, 'revoked')
  throw place.error(
    'ERR_CYCLE_LIMIT',
    `${settings.maxOpen} cycles are open in this session, and steps were taken in all of them (maxOpen).`,
  )
}

/** Ends a cycle, whatever stands there. `signed-out`: by the visitor; `revoked`: to make room. */
export async function leave<State>(
  place: Place<State>,
  selector: Selector,
  why: 'signed-out' | 'revoked',
): Promise<void> {
  const { store } = place.services
  await Promise.all([store.end(selector, endedMarker(why), place.ttl), store.withdraw(place.index, selector)])
}

/** The open cycles of this kind and session, oldest first. What the index has beyond them is taken out, unless it may be on its way. */
async function openOf<State>(place: Place<State>): Promise<Open[]> {
  const { store, settings } = place.services
  const { entries } = await store.roll(place.index)
  const looked = await Promise.all(
    entries.map(async ({ selector, age }) => {
      const bytes = await store.load(selector)
      const record = bytes === undefined || isEnded(bytes) ? undefined : decodeCycle(bytes)
      const open = record !== undefined && record.phase === 'open'
      if (!open && (bytes !== undefined || age > settings.maxRequestTime)) await store.withdraw(place.index, selector)
      return open ? [{ selector, age, untouched: record.counter === 1 }] : []
    }),
  )
  return looked.flat().toSorted((left, right) => right.age - left.age || (left.selector < right.selector ? -1 : 1))
}

/** Selectors in the index, newest first. */
export async function entered<State>(place: Place<State>): Promise<readonly Selector[]> {
  const { entries } = await place.services.store.roll(place.index)
  return entries.toSorted((left, right) => left.age - right.age).map(({ selector }) => selector)
}
