/** How much of a machine's memory may be sessions. */
import { refuseUnknown } from '../../../core/options.ts'
import { OptionsError } from '../../../errors.ts'

/** Bytes, or as Redis writes them; `kb`, `mb` and `gb` are powers of 1024. */
export type Memory = number | `${number}${'kb' | 'mb' | 'gb'}`

/** A machine's memory, less what the system keeps for itself. */
export interface MachineMemory {
  readonly machine: Memory
  /** Default: a tenth of the machine's, at least 256mb. */
  readonly reserve?: Memory | undefined
}

/** What the memory is divided into. Bytes. */
export interface MemoryPlan {
  /** All that Redis may use. */
  readonly total: number
  /** `maxmemory`: the data, the backlog, and what Redis remembers of reads. */
  readonly data: number
  /** What the latest writes are kept in for replicas that were away; part of `data`. Zero without replicas. */
  readonly backlog: number
  /** Of how many records Redis remembers who has read them, to tell of changes; their bytes are part of `data`. */
  readonly trackedKeys: number
  /** How far a replica may fall behind, and takes memory with that. Zero without replicas. */
  readonly replicaBuffer: number
}

const KB = 1024
const MB = 1024 * KB
const GB = 1024 * MB
const UNITS: Readonly<Record<string, number>> = { kb: KB, mb: MB, gb: GB }

/** Redis itself: the program, its scripts, its connections. */
const PROGRAM = 16 * MB
const LEAST_TOTAL = 64 * MB
const LEAST_RESERVE = 256 * MB
const RESERVED_SHARE = 0.1
/** While a child writes the file anew, each page that changes exists twice: at worst all of them. */
export const FORK_FACTOR = 2
/** What the allocator cannot use of the pages that it holds. */
export const FRAGMENTATION = 1.1
const BACKLOG_SHARE = 1 / 32
const [BACKLOG_LEAST, BACKLOG_MOST] = [2 * MB, 256 * MB]
const TRACKED_SHARE = 1 / 16
/** Seen with Redis 7.0.15: 142 for a record that one server has read, 214 for two, 254 for three. */
const TRACKED_BYTES = 256
/** Redis's own limit. */
const TRACKED_MOST = 1_000_000
/** `npm run proof:memory`: a signed-in session, and its entry in the user's index. */
const SESSION_BYTES = 261 + 164

/** What Redis may use. Throws `OptionsError`. */
export function totalMemory(given: unknown): number {
  const total = typeof given === 'object' && given !== null ? ofMachine(given) : bytes('memory', given)
  if (total >= LEAST_TOTAL) return total
  throw new OptionsError('memory', `memory leaves ${sizeText(total)} for Redis; it takes at least 64mb.`)
}

export function planMemory(total: number, replicas: number): MemoryPlan {
  const backlog = replicas === 0 ? 0 : wholeMb(Math.min(Math.max(total * BACKLOG_SHARE, BACKLOG_LEAST), BACKLOG_MOST))
  const replicaBuffer = 2 * backlog
  const data = wholeMb((total - PROGRAM - replicaBuffer) / (FORK_FACTOR * FRAGMENTATION))
  const trackedKeys = Math.min(roughly((data * TRACKED_SHARE) / TRACKED_BYTES), TRACKED_MOST)
  return { total, data, backlog, trackedKeys, replicaBuffer }
}

/** How many typical sessions there is room for, in two digits. */
export function roomFor({ data, backlog, trackedKeys }: MemoryPlan): number {
  return roughly((data - backlog - trackedKeys * TRACKED_BYTES) / SESSION_BYTES)
}

/** As Redis reads it: the largest unit that it is a whole number of. */
export function sizeText(size: number): string {
  const [unit = '', length = 1] =
    Object.entries(UNITS)
      .toReversed()
      .find(([, each]) => size >= each && size % each === 0) ?? []
  return `${size / length}${unit}`
}

function ofMachine(given: object): number {
  refuseUnknown('memory.', given, { machine: 0, reserve: 0 })
  const { machine, reserve } = given as Partial<MachineMemory>
  const all = bytes('memory.machine', machine)
  const kept =
    reserve === undefined ? Math.max(all * RESERVED_SHARE, LEAST_RESERVE) : bytes('memory.reserve', reserve, 0)
  return wholeMb(all - kept)
}

function bytes(option: string, value: unknown, least = 1): number {
  const [, digits, unit = ''] = (typeof value === 'string' ? /^(\d+(?:\.\d+)?)(kb|mb|gb)$/i.exec(value) : null) ?? []
  const size = typeof value === 'number' ? value : Math.floor(Number(digits) * (UNITS[unit.toLowerCase()] ?? 0))
  if (Number.isSafeInteger(size) && size >= least) return size
  throw new OptionsError(option, `${option} must be a number of bytes, or a size such as '2gb' (kb, mb, gb).`)
}

/** In two digits, and never more than it is. */
function roughly(count: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(count)) - 1)
  return Math.floor(count / step) * step
}

function wholeMb(size: number): number {
  return Math.floor(size / MB) * MB
}
