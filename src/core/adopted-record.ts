/** What an old session becomes: the id that follows from its own, the data that can be kept, and the record. */
import { DataError } from '../errors.ts'
import { encode } from './codec.ts'
import type { GenuineId } from './cookie.ts'
import { mac } from './hmac.ts'
import type { LiveRecord } from './live-record.ts'
import type { Arrival } from './old-cookies.ts'
import type { Adopted } from './old-sessions.ts'
import type { Services } from './services.ts'
import { hashVerifier, VERIFIER_BYTES, type Verifier } from './session-id.ts'
import { firstRecord, standingOf } from './succession.ts'

/** Encoded data, and the places that had to stay behind. */
export interface Carried {
  readonly payload: Uint8Array
  readonly dropped: readonly string[]
}

/** The id that follows from an old one under each secret, that of the one which signs first. */
export function idsOf({ keyring, clock }: Services, { selector, source, visit }: Arrival): readonly GenuineId[] {
  const parts = [source.kind, source.cookieName, visit.id].map((part) => Buffer.from(part))
  return keyring.all.map(({ keys }) => {
    const verifier = mac(keys.adoption, parts, VERIFIER_BYTES) as Verifier
    return { rank: 'visit', selector, verifier, hash: hashVerifier(verifier), mintedAt: clock.now() }
  })
}

/** The one of them that the record knows as the valid one, or as the one before. */
export function idFor(services: Services, arrival: Arrival, record: LiveRecord): GenuineId | undefined {
  const now = services.clock.now()
  return idsOf(services, arrival).find(({ hash }) => ['current', 'previous'].includes(standingOf(record, hash, now)))
}

/** Encodes what was mapped. A top-level member that no session can keep stays behind; crossing a limit throws `LimitError`. */
export function carriedFrom({ settings }: Services, { data, dropped: left = [] }: Adopted): Carried {
  const whole: Record<string, unknown> = { ...settings.initial(), ...data }
  const kept: Record<string, unknown> = {}
  const dropped = [...left]
  for (const [name, value] of Object.entries(whole)) {
    try {
      encode({ [name]: value }, settings.limits)
      Object.defineProperty(kept, name, { value, writable: true, enumerable: true, configurable: true })
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      dropped.push(error.path)
    }
  }
  return { payload: settings.shape.encode(kept), dropped }
}

/** The first record. It stands to the old id as a guest's first record does to the visitor's id. */
export function adoptedRecord(
  services: Services,
  id: GenuineId,
  { payload, user, signedInAt }: { payload: Uint8Array; user?: string | undefined; signedInAt?: number | undefined },
): LiveRecord {
  const { clock, heartbeat } = services
  const begun = Math.max(clock.now(), heartbeat.epoch + 1)
  const first = firstRecord(services, id, true, payload, begun)
  if (user === undefined || signedInAt === undefined) return first
  const createdAt = Math.min(begun, signedInAt)
  const idMintedAt = createdAt + Math.floor((begun - createdAt) / 1000) * 1000
  return { ...first, userId: user, signedInAt, createdAt, idMintedAt }
}
