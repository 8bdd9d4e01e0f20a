/**
 * What the store keeps of a cycle. The head is that of every record (`core/record.ts`), so that stores need not know
 * cycles; the kind is 2.
 *
 * | bytes | what |
 * |---|---|
 * | 1 | kind |
 * | 8 | version: a counter and a random stamp, 32 bits each |
 * | 1 | 0: no user |
 * | 1 | phase |
 * | 8 | the stamp of the claim |
 * | 6 | until when the claim holds, in milliseconds of the store's clock |
 * | 1 | the last step that was taken; 255: none |
 * | 18 | the cycle's id, for lists |
 * | … | encoded: the state, and the outcome where there is one |
 *
 * Phase, stamp and deadline stand together: a claim is one patch of these bytes, which needs no look at the record before.
 */
import { decode, encode } from '../core/codec.ts'
import type { EncodeLimits } from '../core/encoder.ts'
import { VERSION_OFFSET } from '../core/record.ts'
import type { RecordBytes, Span } from '../core/store.ts'
import { CYCLE_LENGTH } from '../csrf/token.ts'
import type { CycleId } from './cycle-id.ts'

const KIND_CYCLE = 2
const CLAIM_AT = 10
const STAMP_LENGTH = 8
const DEADLINE_LENGTH = 6
const CLAIM_LENGTH = 1 + STAMP_LENGTH + DEADLINE_LENGTH
const STEP_AT: number = CLAIM_AT + CLAIM_LENGTH
const ID_AT: number = STEP_AT + 1
const BODY_AT: number = ID_AT + CYCLE_LENGTH
const NO_STEP = 255

/** `running`: claimed; whether its claimer still lives is for the deadline to say. */
export type Phase = 'open' | 'running' | 'done' | 'failed' | 'in-doubt'
const PHASES: readonly Phase[] = ['open', 'running', 'done', 'failed', 'in-doubt']

/** Who runs the final step, and until when that is believed. */
export interface Claim {
  readonly stamp: Buffer
  readonly deadline: number
}

export interface CycleRecord {
  readonly counter: number
  readonly phase: Phase
  readonly claim: Claim
  /** The place of the last step taken; `undefined`: none. */
  readonly step: number | undefined
  readonly state: unknown
  /** What `run` returned, where the phase is `done`. */
  readonly result?: unknown
  /** The name of the error, where the phase is `failed`. */
  readonly failure?: string | undefined
  /** Whether the outcome is there, but not its value, which could not be kept. */
  readonly valueless?: boolean | undefined
}

export const NO_CLAIM: Claim = Object.freeze({ stamp: Buffer.alloc(STAMP_LENGTH), deadline: 0 })

/** The highest number of steps that a cycle may declare. */
export const STEPS_MOST = 200

/** A record as the store has it: it knows its own id. */
export interface NamedRecord extends CycleRecord {
  readonly id: CycleId
}

export function encodeCycle(record: CycleRecord, id: CycleId, stamp: Uint8Array, limits: EncodeLimits): RecordBytes {
  const { state, result, failure, valueless } = record
  // The outcome may take as much again as the state, and both stand one level deeper here.
  const parts = record.phase === 'done' ? 2 : 1
  const room = { ...limits, depth: limits.depth + 1, recordSize: parts * limits.recordSize + 64 }
  const body = encode({ state, result, failure, valueless }, room)
  const bytes = Buffer.alloc(BODY_AT + body.length)
  bytes[0] = KIND_CYCLE
  bytes.set(versionBytes(record.counter, stamp), VERSION_OFFSET)
  bytes.set(claimBytes(record.phase, record.claim), CLAIM_AT)
  bytes[STEP_AT] = record.step ?? NO_STEP
  bytes.set(id, ID_AT)
  bytes.set(body, BODY_AT)
  return bytes
}

/** Reads a record; `undefined` for what this version cannot read. */
export function decodeCycle(record: RecordBytes): NamedRecord | undefined {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.length)
  const phase = PHASES[bytes[CLAIM_AT] ?? 255]
  if (bytes[0] !== KIND_CYCLE || bytes.length < BODY_AT || phase === undefined) return undefined
  const step = bytes[STEP_AT]
  const stamp = Buffer.from(bytes.subarray(CLAIM_AT + 1, CLAIM_AT + 1 + STAMP_LENGTH))
  return {
    counter: bytes.readUInt32BE(VERSION_OFFSET),
    phase,
    claim: { stamp, deadline: bytes.readUIntBE(CLAIM_AT + 1 + STAMP_LENGTH, DEADLINE_LENGTH) },
    step: step === NO_STEP ? undefined : step,
    id: Buffer.from(bytes.subarray(ID_AT, BODY_AT)) as CycleId,
    ...(decode(bytes.subarray(BODY_AT)) as Pick<CycleRecord, 'state' | 'result' | 'failure' | 'valueless'>),
  }
}

/** The claim as it stands in a record, for a patch that expects it. */
export function expectClaim(phase: Phase, claim: Claim): Span {
  return { at: CLAIM_AT, bytes: claimBytes(phase, claim) }
}

/** A claim with a version of its own, so that whoever has loaded the record before can no longer replace it. */
export function writeClaim(phase: Phase, claim: Claim, counter: number, stamp: Uint8Array): Span {
  const bytes = Buffer.concat([versionBytes(counter, stamp), Uint8Array.of(0), claimBytes(phase, claim)])
  return { at: VERSION_OFFSET, bytes }
}

export function versionBytes(counter: number, stamp: Uint8Array): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(counter % 2 ** 32)
  bytes.set(stamp.subarray(0, 4), 4)
  return bytes
}

function claimBytes(phase: Phase, { stamp, deadline }: Claim): Buffer {
  const bytes = Buffer.alloc(CLAIM_LENGTH)
  bytes[0] = PHASES.indexOf(phase)
  bytes.set(stamp, 1)
  bytes.writeUIntBE(Math.ceil(deadline), 1 + STAMP_LENGTH, DEADLINE_LENGTH)
  return bytes
}
