/**
 * What the store keeps of a cycle. The head is that of every record (`core/record.ts`), so that stores need not know
 * cycles; the kind is 2.
 *
 * | bytes | what |
 * |---|---|
 * | 1 | kind |
 * | 8 | version: random, another for each write |
 * | 1 | 0: no user |
 * | 1 | phase |
 * | 8 | the stamp of the claim |
 * | 6 | until when the claim holds, in milliseconds of the store's clock |
 * | 1 | the last step that was taken; 255: none |
 * | 18 | the cycle's id, for lists |
 * | 4 | the length of the state |
 * | … | the state, encoded |
 * | … | the outcome, encoded, where there is one |
 *
 * Phase, stamp, deadline and step stand together: a claim is one patch of these bytes, which needs no look at the record
 * before. The state stands by itself, so that an outcome is written behind it without decoding it. A newer layout has to
 * use other numbers for its phases: a patch does not look at the kind.
 */
import { decode, encode } from '../core/codec.ts'
import type { EncodeLimits } from '../core/encoder.ts'
import { isEnded, VERSION_LENGTH, VERSION_OFFSET } from '../core/record.ts'
import type { RecordBytes, Span } from '../core/store.ts'
import { CYCLE_LENGTH } from '../csrf/token.ts'
import { DataError } from '../errors.ts'
import type { CycleId } from './cycle-id.ts'

const KIND_CYCLE = 2
const CLAIM_AT = 10
export const STAMP_LENGTH = 8
const DEADLINE_LENGTH = 6
const CLAIM_LENGTH = 1 + STAMP_LENGTH + DEADLINE_LENGTH
const STEP_AT: number = CLAIM_AT + CLAIM_LENGTH
const ID_AT: number = STEP_AT + 1
const LENGTH_AT: number = ID_AT + CYCLE_LENGTH
const STATE_AT: number = LENGTH_AT + 4
const NO_STEP = 255

/** `running`: claimed; whether its claimer still lives is for the deadline to say. */
export type Phase = 'open' | 'running' | 'done' | 'failed' | 'in-doubt'
const PHASES: readonly Phase[] = ['open', 'running', 'done', 'failed', 'in-doubt']

/** Who runs the final step, and until when that is believed. */
export interface Claim {
  readonly stamp: Buffer
  readonly deadline: number
}

/** The part of a record that is overwritten by itself. */
export interface CycleHead {
  readonly phase: Phase
  readonly claim: Claim
  /** The place of the last step taken; 0 where steps have no names; `undefined`: none. */
  readonly step: number | undefined
}

/** What an outcome says. `failure`: the name of the error. `valueless`: it is there, but its value could not be kept. */
export type Outcome = { readonly result: unknown } | { readonly failure: string } | { readonly valueless: true }

export interface CycleRecord extends CycleHead {
  readonly id: CycleId
  readonly state: unknown
  readonly result?: unknown
  readonly failure?: string
  readonly valueless?: boolean
}

export const NO_CLAIM: Claim = Object.freeze({ stamp: Buffer.alloc(STAMP_LENGTH), deadline: 0 })
/** What nobody has claimed. */
export const UNCLAIMED: Pick<CycleHead, 'phase' | 'claim'> = Object.freeze({ phase: 'open', claim: NO_CLAIM })

/** The highest number of steps that a cycle may declare. */
export const STEPS_MOST = 200

/** A record, complete. `state` and `outcome` are encoded. */
interface Parts extends CycleHead {
  readonly id: Uint8Array
  readonly version: Uint8Array
  readonly state: Uint8Array
  readonly outcome?: Uint8Array
}

/** The state as a record keeps it. Throws `DataError` and `LimitError`. */
export function encodeState(state: unknown, limits: EncodeLimits): Uint8Array {
  return encode({ state }, wrapped(limits))
}

/** The outcome as a record keeps it. Throws `DataError` and `LimitError`. */
export function encodeOutcome(outcome: Outcome, limits: EncodeLimits): Uint8Array {
  return encode(outcome, wrapped(limits))
}

/** What is kept stands one level deeper than the application has it. */
function wrapped(limits: EncodeLimits): EncodeLimits {
  return { depth: limits.depth + 1, recordSize: limits.recordSize + 16 }
}

export function writeRecord({ id, version, phase, claim, step, state, outcome }: Parts): RecordBytes {
  const head = Buffer.alloc(STATE_AT)
  head[0] = KIND_CYCLE
  head.set(version, VERSION_OFFSET)
  head.set(claimBytes(phase, claim), CLAIM_AT)
  head[STEP_AT] = step ?? NO_STEP
  head.set(id, ID_AT)
  head.writeUInt32BE(state.length, LENGTH_AT)
  return Buffer.concat([head, state, outcome ?? new Uint8Array()])
}

/** The record with another phase and outcome: its state stays as it is, byte for byte. */
export function rewritten(
  record: RecordBytes,
  { phase, claim }: Pick<CycleHead, 'phase' | 'claim'>,
  version: Uint8Array,
  outcome?: Uint8Array,
): RecordBytes {
  const bytes = viewOf(record)
  const state = bytes.subarray(STATE_AT, stateEnd(bytes))
  const { step } = headOf(record) ?? { step: undefined }
  return writeRecord({
    id: bytes.subarray(ID_AT, LENGTH_AT),
    version,
    phase,
    claim,
    step,
    state,
    ...(outcome && { outcome }),
  })
}

/** The head of a record; `undefined` for what this version cannot read, and for what is no record of a cycle. */
export function headOf(record: RecordBytes): CycleHead | undefined {
  const bytes = viewOf(record)
  const phase = PHASES[bytes[CLAIM_AT] ?? PHASES.length]
  if (isEnded(bytes) || bytes[0] !== KIND_CYCLE || bytes.length < STATE_AT || phase === undefined) return undefined
  const stamp = Buffer.from(bytes.subarray(CLAIM_AT + 1, CLAIM_AT + 1 + STAMP_LENGTH))
  const deadline = bytes.readUIntBE(CLAIM_AT + 1 + STAMP_LENGTH, DEADLINE_LENGTH)
  const step = bytes[STEP_AT]
  return { phase, claim: { stamp, deadline }, step: step === NO_STEP ? undefined : step }
}

/** Reads a record, each time into objects of its own; `undefined` for what this version cannot read. */
export function readRecord(record: RecordBytes): CycleRecord | undefined {
  const head = headOf(record)
  if (head === undefined) return undefined
  const bytes = viewOf(record)
  const end = stateEnd(bytes)
  try {
    const { state } = decode(bytes.subarray(STATE_AT, end))
    const outcome = end < bytes.length ? decode(bytes.subarray(end)) : {}
    return { ...outcome, ...head, id: Buffer.from(bytes.subarray(ID_AT, LENGTH_AT)) as CycleId, state }
  } catch (error) {
    if (error instanceof DataError) return undefined
    throw error
  }
}

/** The claim as it stands in a record, for a patch that expects it. With a step: that one as the last, too. */
export function expectClaim({ phase, claim }: Pick<CycleHead, 'phase' | 'claim'>, step?: number): Span {
  const bytes = claimBytes(phase, claim)
  return { at: CLAIM_AT, bytes: step === undefined ? bytes : Buffer.concat([bytes, Uint8Array.of(step)]) }
}

/** The claim with this stamp, whatever its deadline is by now. */
export function expectStamp(phase: Phase, { stamp }: Claim): Span {
  return { at: CLAIM_AT, bytes: claimBytes(phase, { stamp, deadline: 0 }).subarray(0, 1 + STAMP_LENGTH) }
}

/** A claim with a version of its own, so that whoever has loaded the record before can no longer replace it. */
export function writeClaim({ phase, claim }: Pick<CycleHead, 'phase' | 'claim'>, version: Uint8Array): Span {
  return { at: VERSION_OFFSET, bytes: Buffer.concat([version, Uint8Array.of(0), claimBytes(phase, claim)]) }
}

/** A version that no record has: with it, an `end` ends nothing but what is not there. */
export const NO_VERSION: Uint8Array = new Uint8Array(VERSION_LENGTH)

function claimBytes(phase: Phase, { stamp, deadline }: Claim): Buffer {
  const bytes = Buffer.alloc(CLAIM_LENGTH)
  bytes[0] = PHASES.indexOf(phase)
  bytes.set(stamp, 1)
  bytes.writeUIntBE(Math.ceil(deadline), 1 + STAMP_LENGTH, DEADLINE_LENGTH)
  return bytes
}

/** Where the state ends; for a length that cannot be, where the record does. */
function stateEnd(bytes: Buffer): number {
  return Math.min(STATE_AT + bytes.readUInt32BE(LENGTH_AT), bytes.length)
}

function viewOf(record: RecordBytes): Buffer {
  return Buffer.from(record.buffer, record.byteOffset, record.length)
}
