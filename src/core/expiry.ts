/** The three timers of a session (OWASP ASVS 7.3): idle, absolute, and renewal of its id. */
import type { LiveRecord } from './live-record.ts'

export interface Timers {
  /** Milliseconds, as all of these. */
  readonly idle: number
  readonly absolute: number
  readonly renewal: number
  /** How long the previous id serves once the new one was presented. */
  readonly grace: number
}

/** Touches of one session in one process are this far apart: a tenth of the idle timeout. */
export function touchInterval(timers: Timers): number {
  return timers.idle / 10
}

/** The moment at which the session ends, whatever happens. */
export function absoluteDeadline(record: LiveRecord, timers: Timers): number {
  return (record.signedInAt ?? record.createdAt) + timers.absolute
}

/** Whether a revocation of its user's sessions has ended it. */
export function isBarred(record: LiveRecord, notBefore: number): boolean {
  return Math.max(record.signedInAt ?? 0, record.sparedAt ?? 0) <= notBefore
}

/** How long the store keeps the record if nothing more happens: never shorter than the idle timeout, at most a tenth longer. */
export function timeToLive(record: LiveRecord, timers: Timers, now: number): number {
  const idle = timers.idle + touchInterval(timers)
  return Math.max(1, Math.ceil(Math.min(idle, absoluteDeadline(record, timers) - now)))
}

export function isOver(record: LiveRecord, timers: Timers, now: number): boolean {
  return now >= absoluteDeadline(record, timers)
}

/** Whether the previous verifier still serves. It does until the new one has been presented, and for the grace time after. */
export function previousServes(record: LiveRecord, now: number): boolean {
  const graceEnds = record.previous?.graceEnds
  return record.previous !== undefined && (graceEnds === undefined || now < graceEnds)
}

/** Whether the id may be renewed: not while it is younger than the grace, and not while the one before it still serves. */
export function mayRenew(record: LiveRecord, timers: Timers, now: number): boolean {
  return now - record.idMintedAt >= timers.grace && !previousServes(record, now)
}

export function renewalDue(record: LiveRecord, timers: Timers, now: number): boolean {
  return now - record.idMintedAt >= timers.renewal && mayRenew(record, timers, now)
}

/** Before this moment no renewal is due. */
export function noRenewalBefore(record: LiveRecord, timers: Timers): number {
  return record.idMintedAt + timers.renewal
}

/** Whether a cookie is void by arithmetic: no session outlives the absolute timeout of its last id. */
export function isVoid(mintedAt: number, timers: Timers, now: number): boolean {
  return now >= mintedAt + timers.absolute
}
