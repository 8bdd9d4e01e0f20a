/**
 * Whether Holdfast itself gave notice of what a store forgot. What counts as a notice is said here, and nowhere else.
 *
 * About this very session (`session`): its name is in an event that says that the store has lost something of it. That is
 * `holdfast:lost`, by which a browser was shown a later version, or `holdfast:end` with `revived`: it was ended, and alive.
 * Or that it may: `holdfast:commit` with `durable: false`, by which replicas have not confirmed a change.
 *
 * About the store (`store`): an event that says that any session has lost something, or `holdfast:replaced`, by which
 * another server answers, or the same one without its memory.
 *
 * In time: after the fault began by which the store forgot, and not later than `LATEST` after the violation showed.
 */
import type { ReportedEvent } from '../history/history.ts'
import type { Case } from './check.ts'
import { grouped } from './grouped.ts'
import type { Noticed, Violation } from './violations.ts'
import type { Visit } from './visits.ts'

/** Milliseconds: an event has its own way to who listens, and an end is written again within a second. */
const LATEST = 1_000

/** Says of each violation that is excused how it was noticed. */
export function withNotices({ history, visits }: Case, violations: readonly Violation[]): Violation[] {
  const notices = history.events.filter(isNotice)
  const shown = grouped(
    history.operations.filter(({ seen }) => typeof seen?.handle === 'string'),
    ({ seen }) => seen?.owner,
  )
  const handlesOf = ({ name, goesOn }: Visit): ReadonlySet<unknown> =>
    new Set([name, goesOn?.name].flatMap((owner) => (shown.get(owner) ?? []).map(({ seen }) => seen?.handle)))
  return violations.map((violation) => {
    const { excusedBy, at } = violation
    if (excusedBy === undefined) return violation
    const inTime = notices.filter((event) => event.at >= excusedBy.began && event.at <= at + LATEST)
    const visit = visits.named(violation.visit ?? '')
    const handles = visit === undefined ? new Set() : handlesOf(visit)
    const isOwn = inTime.some((event) => isOfSession(event) && handles.has(event.detail['handle']))
    const noticed: Noticed = isOwn ? 'session' : inTime.some(isOfStore) ? 'store' : 'no'
    return { ...violation, noticed }
  })
}

export function isNotice(event: ReportedEvent): boolean {
  return isOfStore(event) || isOfSession(event)
}

function isOfSession(event: ReportedEvent): boolean {
  return isLoss(event) || (event.channel === 'holdfast:commit' && event.detail['durable'] === false)
}

function isOfStore(event: ReportedEvent): boolean {
  return isLoss(event) || event.channel === 'holdfast:replaced'
}

function isLoss({ channel, detail }: ReportedEvent): boolean {
  return channel === 'holdfast:lost' || (channel === 'holdfast:end' && detail['what'] === 'revived')
}
