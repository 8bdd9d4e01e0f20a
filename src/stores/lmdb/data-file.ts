/**
 * Reads the beginning of LMDB's data file without LMDB. A file that is truncated or garbage kills the process
 * when it is mapped, with a signal that nothing can catch; so it is looked at first.
 *
 * The layout is that of LMDB 0.9.90 (data version 2), as the `lmdb` package builds it. Pages 0 and 1 are meta
 * pages, written in turn; a third copy, in the middle of page 0, is the last state that is known to be on the
 * disk, which counts when the machine has been started anew since.
 */

/** What is wrong with a data file. */
export type FileFault = 'truncated' | 'garbage' | 'other-version'

/** The state of the file that LMDB would begin with. */
export interface Snapshot {
  readonly pageSize: number
  /** How many pages it spans. The file may be shorter, if the last of them are free. */
  readonly pages: bigint
  /** The roots of its two trees, of free pages and of tables; `undefined`: empty. */
  readonly roots: readonly (bigint | undefined)[]
  readonly transaction: bigint
}

interface Meta {
  readonly flags: number
  /** Levels of the deeper tree. */
  readonly depth: number
  readonly snapshot: Snapshot
  readonly bootId: bigint
}

/** So many bytes of the file's beginning hold all that is looked at, whatever the page size. */
export const HEAD_LENGTH = 0x20000
/** The bytes of a page before its content. */
export const PAGE_HEADER = 24

const MAGIC = 0xbeefc0de
const DATA_VERSION = 2
const META_PAGE = 0x08
const META_LENGTH = 168
/** Set in a state that was visible before it was known to be on the disk. */
const UNFLUSHED = 0x1000
const INTEGER_KEYS = 0x08
const NO_ROOT = 0xffff_ffff_ffff_ffffn
/** A tree of more levels, or a map of more bytes, than LMDB can handle is garbage. */
const MAX_DEPTH = 32
const MAX_MAP = 1n << 47n

/**
 * What LMDB would begin with, or why it must not see the file.
 *
 * @param head the file's first bytes, up to `HEAD_LENGTH`
 * @param size the file's size
 * @param bootId the number of the machine's present boot, as `parseBootId` gives it
 */
export function readDataFile(head: Uint8Array, size: number, bootId: bigint): Snapshot | FileFault {
  const view = new DataView(head.buffer, head.byteOffset, head.length)
  if (head.length < PAGE_HEADER + META_LENGTH) return looksLike(view) ? 'truncated' : 'garbage'
  const pageSize = view.getUint32(PAGE_HEADER + 24, true)
  const identity = identify(view, 0)
  if (identity !== 'meta') return identity
  if (pageSize < 512 || pageSize > 0x10000 || (pageSize & (pageSize - 1)) !== 0) return 'garbage'
  if (size < 2 * pageSize || head.length < pageSize + META_LENGTH) return 'truncated'
  const second = identify(view, pageSize)
  if (second !== 'meta') return second
  const [first, flushed, other] = [0, pageSize >> 1, pageSize].map((offset) => readMeta(view, offset, pageSize))
  if (first === undefined || flushed === undefined || other === undefined) return 'garbage'
  const chosen = choose(choose(first, flushed, bootId), other, bootId)
  return plausible(chosen) ? chosen.snapshot : 'garbage'
}

/** The number that LMDB makes of `/proc/sys/kernel/random/boot_id`: its first eight digits. */
export function parseBootId(text: string): bigint {
  const digits = /^[0-9a-f]{1,8}/i.exec(text)?.[0]
  return digits === undefined ? 0n : BigInt(`0x${digits}`)
}

function looksLike(view: DataView): boolean {
  return view.byteLength < PAGE_HEADER + 4 || view.getUint32(PAGE_HEADER, true) === MAGIC
}

function identify(view: DataView, offset: number): 'meta' | 'garbage' | 'other-version' {
  const isMeta = (view.getUint16(offset + 18, true) & META_PAGE) !== 0
  if (!isMeta || view.getUint32(offset + PAGE_HEADER, true) !== MAGIC) return 'garbage'
  return (view.getUint32(offset + PAGE_HEADER + 4, true) & 0xffff) === DATA_VERSION ? 'meta' : 'other-version'
}

function readMeta(view: DataView, offset: number, pageSize: number): Meta | undefined {
  const at = offset + PAGE_HEADER
  const root = (table: number): bigint | undefined => {
    const page = view.getBigUint64(at + 24 + table * 48 + 40, true)
    return page === NO_ROOT ? undefined : page
  }
  const snapshot = {
    pageSize,
    pages: view.getBigUint64(at + 120, true) + 1n,
    roots: [root(0), root(1)],
    transaction: view.getBigUint64(at + 128, true),
  }
  const copied = view.getUint32(at + 24, true) === pageSize || snapshot.transaction === 0n
  const flags = view.getUint16(at + 28, true)
  const depth = Math.max(view.getUint16(at + 30, true), view.getUint16(at + 78, true))
  return copied ? { flags, depth, snapshot, bootId: view.getBigInt64(at + 136, true) } : undefined
}

// As LMDB's mdb_pick_meta: after a new start of the machine what was not flushed does not count.
function choose(left: Meta, right: Meta, bootId: bigint): Meta {
  if (right.snapshot.transaction === 0n) return left
  const [newer, older] = left.snapshot.transaction >= right.snapshot.transaction ? [left, right] : [right, left]
  const sameBoot = newer.bootId !== 0n && newer.bootId === bootId
  return sameBoot || (newer.flags & UNFLUSHED) === 0 ? newer : older
}

function plausible({ snapshot, flags, depth }: Meta): boolean {
  const inside = snapshot.roots.every((root) => root === undefined || (root >= 2n && root < snapshot.pages))
  const mapped = snapshot.pages * BigInt(snapshot.pageSize)
  return inside && depth <= MAX_DEPTH && (flags & INTEGER_KEYS) !== 0 && snapshot.pages >= 2n && mapped <= MAX_MAP
}
