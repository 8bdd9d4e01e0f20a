/**
 * The store's directory, looked at before LMDB sees it: made where it is missing, refused with a reason where
 * it cannot be used. It holds LMDB's `data.mdb` and `lock.mdb`, the same for the gate (`gate.ts`), and the
 * description `holdfast.json`.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, realpath, rename, statfs, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { OptionsError, StoreUnavailableError } from '../../errors.ts'
import { HEAD_LENGTH, parseBootId, readDataFile, type FileFault, type Snapshot } from './data-file.ts'
import { GATE_FILE } from './gate.ts'
import { walkPages } from './page-walk.ts'
import { probeRoom } from './room.ts'

/** The version of the store's own layout, which `entry.ts` describes. */
export const FORMAT = 1

/** Looks so many times at a file that seems broken, because another process may be writing it at that moment. */
const LOOKS = 5
const BETWEEN_LOOKS = 10
/** So many pages of the file are looked at when it is opened: up to 80 MB, in less than a second. */
const PAGES_LOOKED_AT = 20_000

/** File systems on which LMDB's locks and maps are not to be relied on, by the numbers of statfs(2). */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
])

type Fault = FileFault | 'missing' | 'in-use'

interface Description {
  readonly format: number
  /** Whether the data file has been made; before that an empty one is no loss. */
  readonly ready: boolean
}

/**
 * Makes the directory ready for LMDB, and answers its real path.
 *
 * @throws OptionsError for what no waiting mends: no rights, no directory, a truncated or foreign file, a newer format
 * @throws StoreUnavailableError for the rest, such as a full disk
 */
export async function prepareDirectory(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    const directory = await realpath(path)
    await refuseNetwork(directory)
    const description = (await readDescription(directory)) ?? (await firstDescription(directory))
    await checkDataFile(directory, description)
    await checkGate(directory)
    return directory
  } catch (error) {
    throw asOurs(path, error)
  }
}

/** Notes that the data file exists, so that one that is missing later is noticed. */
export async function confirmDirectory(directory: string): Promise<void> {
  const description = await readDescription(directory)
  if (description?.ready !== true) await describe(directory, true)
}

async function refuseNetwork(directory: string): Promise<void> {
  const { type } = await statfs(directory)
  const name = NETWORK_FILE_SYSTEMS.get(type)
  if (name === undefined) return
  throw refusal(
    `The store's directory ${directory} is on a network file system (${name}), where the locks that its processes share do not hold. Choose a local directory, or a Redis store for several machines.`,
  )
}

async function readDescription(directory: string): Promise<Description | undefined> {
  const file = join(directory, 'holdfast.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  const description = parseDescription(text)
  if (description === undefined) {
    throw refusal(
      `${file} does not describe a Holdfast store. Restore it, or choose another directory; to begin with an empty store, move ${directory} away.`,
    )
  }
  if (description.format > FORMAT) {
    throw refusal(
      `The store in ${directory} was written by a newer Holdfast (format ${description.format}; this one knows ${FORMAT}). Update Holdfast, or choose another directory.`,
    )
  }
  return description
}

function parseDescription(text: string): Description | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null || !('store' in parsed) || parsed.store !== 'holdfast')
    return undefined
  if (!('format' in parsed) || typeof parsed.format !== 'number' || !(parsed.format >= 1)) return undefined
  return { format: parsed.format, ready: 'ready' in parsed && parsed.ready === true }
}

async function firstDescription(directory: string): Promise<Description> {
  const file = join(directory, 'data.mdb')
  if ((await faultOf(file)) === 'missing') {
    await probeRoom(directory)
    return describe(directory, false)
  }
  // Another process may have made both files since we looked.
  const description = await readDescription(directory)
  if (description !== undefined) return description
  throw refusal(
    `${file} is there, but no holdfast.json beside it: this is not a Holdfast store. Choose another directory, or restore that file.`,
  )
}

async function describe(directory: string, ready: boolean): Promise<Description> {
  const file = join(directory, 'holdfast.json')
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify({ store: 'holdfast', format: FORMAT, ready })}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
  return { format: FORMAT, ready }
}

async function checkDataFile(directory: string, { ready }: Description): Promise<void> {
  const file = join(directory, 'data.mdb')
  const fault = await lastingFault(file)
  if (fault === undefined || fault === 'in-use' || (fault === 'missing' && !ready)) return
  const remedy = `Restore it from a copy; to begin with an empty store, move ${directory} away (everybody is signed out then).`
  if (fault === 'missing') throw refusal(`${file} is missing or empty, though the store was in use. ${remedy}`)
  if (fault === 'truncated') throw refusal(`${file} is truncated: pages that it refers to are not there. ${remedy}`)
  if (fault === 'other-version') {
    throw refusal(
      `${file} has another version of LMDB's data format. Use the version of the lmdb package that wrote it, or move ${directory} away.`,
    )
  }
  throw refusal(`${file} is no LMDB data file, or is damaged. ${remedy}`)
}

/** The gate may be missing: it holds nothing, and is made again. */
async function checkGate(directory: string): Promise<void> {
  const file = join(directory, GATE_FILE)
  const fault = await lastingFault(file)
  if (fault === undefined || fault === 'in-use' || fault === 'missing') return
  throw refusal(`${file} is damaged. It holds no data: stop all processes that use this store, then delete it.`)
}

/** A fault that is still there after some looks. */
async function lastingFault(file: string): Promise<Fault | undefined> {
  let fault: Fault | undefined
  for (let look = 0; look < LOOKS; look++) {
    if (look > 0) await pause(BETWEEN_LOOKS)
    fault = await faultOf(file)
    if (fault === undefined || fault === 'missing') return fault
  }
  return fault
}

async function faultOf(file: string): Promise<Fault | undefined> {
  let handle: FileHandle
  try {
    // For writing too: LMDB will need it, and says less clearly that it may not.
    handle = await open(file, 'r+')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'missing'
    throw error
  }
  try {
    return await inspect(handle)
  } finally {
    await handle.close()
  }
}

async function inspect(handle: FileHandle): Promise<Fault | undefined> {
  const read = async (position: number, length: number): Promise<Uint8Array> => {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, position)
    return buffer.subarray(0, bytesRead)
  }
  const look = async (): Promise<Snapshot | FileFault | 'missing'> => {
    const { size } = await handle.stat()
    return size === 0 ? 'missing' : readDataFile(await read(0, HEAD_LENGTH), size, await bootId())
  }
  const snapshot = await look()
  if (typeof snapshot === 'string') return snapshot
  // A file that is shorter than its pages is whole if those that are missing are free; only a full walk can tell.
  const short = BigInt((await handle.stat()).size) < snapshot.pages * BigInt(snapshot.pageSize)
  const fault = await walkPages(snapshot, read, short ? Infinity : PAGES_LOOKED_AT)
  if (fault === undefined) return undefined
  // What a commit overtook was no longer to be found whole. Who commits has the file open, and finds it sound.
  const after = await look()
  return typeof after !== 'string' && after.transaction !== snapshot.transaction ? 'in-use' : fault
}

async function bootId(): Promise<bigint> {
  try {
    return parseBootId(await readFile('/proc/sys/kernel/random/boot_id', 'latin1'))
  } catch {
    // Elsewhere than on Linux LMDB has other means; 0 makes the check look at what is surely on the disk.
    return 0n
  }
}

function refusal(message: string, cause?: unknown): OptionsError {
  return new OptionsError('store', message, { cause })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

const NO_WAITING_MENDS: ReadonlySet<string | undefined> = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'EISDIR',
  'EEXIST',
  'ELOOP',
  'ENAMETOOLONG',
  'ERR_INVALID_ARG_VALUE',
])

function asOurs(path: string, error: unknown): Error {
  if (error instanceof OptionsError || error instanceof StoreUnavailableError) return error
  const reason = error instanceof Error ? error.message : String(error)
  if (NO_WAITING_MENDS.has(codeOf(error))) {
    return refusal(
      `The store in ${path} cannot be used: ${reason}. Give this process's user the right to read and write it, or choose another directory.`,
      error,
    )
  }
  return new StoreUnavailableError(`The store in ${path} cannot be opened: ${reason}.`, { cause: error })
}
