/**
 * Walks the trees of LMDB's data file without LMDB, to learn whether the pages that can be reached are there
 * and are what they should be. See `mdb.c` of the `lmdb` package for the layout.
 */
import { PAGE_HEADER, type FileFault, type Snapshot } from './data-file.ts'

/** Reads so many bytes at a position of the file; fewer, where the file ends. */
export type ReadAt = (position: number, length: number) => Promise<Uint8Array>

const BRANCH = 0x01
const LEAF = 0x02
const OVERFLOW = 0x04
/** A page is of one kind only. */
const KINDS: ReadonlySet<number> = new Set([BRANCH, LEAF, OVERFLOW])
const BIG_DATA = 0x01
const SUB_TABLE = 0x02
const NODE_HEADER = 8
const TABLE_LENGTH = 48
const NO_ROOT = 0xffff_ffff_ffff_ffffn

/** A page, how many follow it that belong to it, and what it has to be. */
interface Visit {
  readonly page: bigint
  readonly span: bigint
  readonly kind: number
}

/**
 * Why a state of the file cannot be used, or `undefined` if nothing speaks against it.
 *
 * @param limit so many pages are looked at; the rest is taken on trust
 */
export async function walkPages(snapshot: Snapshot, read: ReadAt, limit: number): Promise<FileFault | undefined> {
  const { pageSize, pages } = snapshot
  const pending: Visit[] = snapshot.roots.flatMap((page) => (page === undefined ? [] : [tree(page)]))
  let visited = 0
  for (let visit = pending.pop(); visit !== undefined && visited < limit; visit = pending.pop()) {
    visited += 1
    if (visited > pages || visit.page < 2n || visit.page + visit.span > pages) return 'garbage'
    const bytes = await read(Number(visit.page) * pageSize, pageSize)
    if (bytes.length < pageSize || (await endsWithin(visit, pageSize, read))) return 'truncated'
    const below = inspect(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), visit, snapshot.transaction)
    if (below === undefined) return 'garbage'
    for (const next of below) pending.push(next)
  }
  return undefined
}

function tree(page: bigint): Visit {
  return { page, span: 1n, kind: BRANCH | LEAF }
}

async function endsWithin({ page, span }: Visit, pageSize: number, read: ReadAt): Promise<boolean> {
  return span > 1n && (await read(Number(page + span) * pageSize - 1, 1)).length === 0
}

/** The pages below this one; `undefined` when it is not what it should be. */
function inspect(view: DataView, visit: Visit, transaction: bigint): Visit[] | undefined {
  const flags = view.getUint16(18, true)
  if (view.getBigUint64(0, true) !== visit.page || !KINDS.has(flags & visit.kind) || (flags & ~visit.kind) !== 0)
    return undefined
  // A page from the future would be taken for one of the transaction's own, and be written to where it is mapped.
  if (view.getBigUint64(8, true) > transaction) return undefined
  if (visit.kind === OVERFLOW) return BigInt(view.getUint32(20, true)) === visit.span ? [] : undefined
  const [lower, upper] = [view.getUint16(20, true), view.getUint16(22, true)]
  if (lower > upper || PAGE_HEADER + upper > view.byteLength || lower % 2 !== 0) return undefined
  const isBranch = (flags & BRANCH) !== 0
  const found: Visit[] = []
  for (let pointer = PAGE_HEADER; pointer < PAGE_HEADER + lower; pointer += 2) {
    const node = view.getUint16(pointer, true) + PAGE_HEADER
    if (node < PAGE_HEADER + upper || node + NODE_HEADER > view.byteLength) return undefined
    const below = isBranch ? belowBranch(view, node) : belowLeaf(view, node)
    if (below === undefined) return undefined
    found.push(...below)
  }
  return found
}

function belowBranch(view: DataView, node: number): Visit[] | undefined {
  if (node + NODE_HEADER + view.getUint16(node + 6, true) > view.byteLength) return undefined
  return [tree(BigInt(view.getUint32(node, true)) | (BigInt(view.getUint16(node + 4, true)) << 32n))]
}

function belowLeaf(view: DataView, node: number): Visit[] | undefined {
  const flags = view.getUint16(node + 4, true)
  const size = view.getUint32(node, true)
  const data = node + NODE_HEADER + view.getUint16(node + 6, true)
  const isBig = (flags & BIG_DATA) !== 0
  if (data + (isBig ? 24 : size) > view.byteLength) return undefined
  if (isBig) {
    const span = view.getBigUint64(data + 16, true)
    const needed = BigInt(Math.floor((PAGE_HEADER - 1 + size) / view.byteLength) + 1)
    return span === needed ? [{ page: view.getBigUint64(data, true), span, kind: OVERFLOW }] : undefined
  }
  if ((flags & SUB_TABLE) === 0) return []
  if (size !== TABLE_LENGTH) return undefined
  const root = view.getBigUint64(data + 40, true)
  return root === NO_ROOT ? [] : [tree(root)]
}
