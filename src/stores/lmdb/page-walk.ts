/**
 * Walks the trees of LMDB's data file without LMDB, to learn whether every page that can be reached is there
 * and is what it should be. See `mdb.c` of the `lmdb` package for the layout.
 */
import { PAGE_HEADER, type FileFault, type Snapshot } from './data-file.ts'

/** Reads so many bytes at a position of the file; fewer, where the file ends. */
export type ReadAt = (position: number, length: number) => Promise<Uint8Array>

const BRANCH = 0x01
const LEAF = 0x02
const OVERFLOW = 0x04
const BIG_DATA = 0x01
const SUB_TABLE = 0x02
const NODE_HEADER = 8

/** A page, how many follow it, and what it has to be. */
interface Visit {
  readonly page: bigint
  readonly span: bigint
  readonly kind: number
}

/**
 * Why a state of the file cannot be used, or `undefined` if it can.
 *
 * @param deep whether to follow the trees to their last page, or to look at their roots only
 */
export async function walkPages(snapshot: Snapshot, read: ReadAt, deep: boolean): Promise<FileFault | undefined> {
  const pending: Visit[] = snapshot.roots.flatMap((page) => (page === undefined ? [] : [tree(page)]))
  let visited = 0n
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    visited += 1n
    if (visited > snapshot.pages || visit.page < 2n || visit.page + visit.span > snapshot.pages) return 'garbage'
    const bytes = await read(Number(visit.page) * snapshot.pageSize, snapshot.pageSize)
    if (bytes.length < snapshot.pageSize) return 'truncated'
    const next = inspect(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), visit)
    if (next === undefined) return 'garbage'
    if (visit.span > 1n && (await endsBefore(snapshot, read, visit))) return 'truncated'
    if (deep) for (const below of next) pending.push(below)
  }
  return undefined
}

function tree(page: bigint): Visit {
  return { page, span: 1n, kind: BRANCH | LEAF }
}

async function endsBefore(snapshot: Snapshot, read: ReadAt, { page, span }: Visit): Promise<boolean> {
  const last = await read(Number(page + span) * snapshot.pageSize - 1, 1)
  return last.length === 0
}

/** The pages below this one; `undefined` when it is not what it should be. */
function inspect(view: DataView, visit: Visit): Visit[] | undefined {
  const flags = view.getUint16(18, true)
  if (view.getBigUint64(0, true) !== visit.page || (flags & visit.kind) === 0) return undefined
  if (visit.kind === OVERFLOW) return []
  const nodes = view.getUint16(20, true) >> 1
  if (PAGE_HEADER + 2 * nodes > view.byteLength) return undefined
  const found: Visit[] = []
  for (let number = 0; number < nodes; number++) {
    const at = view.getUint16(PAGE_HEADER + 2 * number, true) + PAGE_HEADER
    if (at + NODE_HEADER > view.byteLength) return undefined
    const below = (flags & BRANCH) !== 0 ? [tree(childOf(view, at))] : inLeaf(view, at)
    if (below === undefined) return undefined
    found.push(...below)
  }
  return found
}

function childOf(view: DataView, at: number): bigint {
  return BigInt(view.getUint32(at, true)) | (BigInt(view.getUint16(at + 4, true)) << 32n)
}

function inLeaf(view: DataView, at: number): Visit[] | undefined {
  const flags = view.getUint16(at + 4, true)
  const data = at + NODE_HEADER + view.getUint16(at + 6, true)
  const big = (flags & BIG_DATA) !== 0
  const length = big ? 24 : view.getUint32(at, true)
  if (data + length > view.byteLength) return undefined
  if (big) return [{ page: view.getBigUint64(data, true), span: view.getBigUint64(data + 16, true), kind: OVERFLOW }]
  if ((flags & SUB_TABLE) === 0) return []
  if (length < 48) return undefined
  const root = view.getBigUint64(data + 40, true)
  return root === 0xffff_ffff_ffff_ffffn ? [] : [tree(root)]
}
