/**
 * Room on the disk, taken before it is needed. LMDB must not run into a full disk: its way of saying so
 * overruns a buffer of its own, and may take the process with it (lmdb 3.5.6, `mdb_page_flush`). So the store
 * lets the data file grow ahead of LMDB, by appending to it, and refuses a write that might not find its room.
 *
 * Appending never touches what LMDB has written: the system puts it after whatever is the end at that moment.
 * On file systems that copy on write (btrfs, ZFS) room in a file is no promise of room on the disk.
 */
import { constants, fstatSync } from 'node:fs'
import { open, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

/** What LMDB uses of the file. */
export interface Usage {
  /** Where its last page ends. */
  readonly end: number
  readonly pageSize: number
}

/** Kept for ends and revocations, which have to go through when nothing else does. */
const RESERVE = 1024 * 1024
/**
 * Pages that nothing may use: what a write takes beyond its own share, on its common way from the roots and in LMDB's list of
 * free pages, which grows while somebody still reads an old state; and what other processes take at the same moment.
 */
const UNTOUCHED = 64
/** The file grows by so much at a time, and before the last step is used up. */
const STEP = 1024 * 1024
/** Pages that one of several writes may need: leaves of both tables that split. Their common way from the roots is in what nothing may use. */
const PAGES_PER_WRITE = 6
/** What is left is measured once in so many writes: other processes use it too. */
const BETWEEN_MEASURES = 32
/** Milliseconds until the file is tried to grow again after it could not. */
const BACK_OFF = 100

const BLANK = new Uint8Array(STEP)

/** Shows that a disk has room for a new store. Rejects with the system's error if not. */
export async function probeRoom(directory: string): Promise<void> {
  const probe = join(directory, `probe.${process.pid}`)
  try {
    await writeFile(probe, BLANK, { mode: 0o600 })
  } finally {
    await rm(probe, { force: true })
  }
}

export class Room {
  readonly #file: FileHandle
  readonly #maxSize: number
  readonly #usage: () => Usage
  /** What is left of the file, less what writes may have taken since it was measured. */
  #left = 0
  /** What the writes on their way may take. */
  #promised = 0
  #last: Usage = { end: 0, pageSize: 4_096 }
  #countdown = 0
  #growing: Promise<void> | undefined
  #failure: { readonly error: unknown; readonly at: number } | undefined

  /** @param maxSize the file does not grow beyond so many bytes */
  static async open(directory: string, maxSize: number, usage: () => Usage): Promise<Room> {
    const file = await open(join(directory, 'data.mdb'), constants.O_WRONLY | constants.O_APPEND)
    const room = new Room(file, maxSize, usage)
    await room.grow()
    return room
  }

  private constructor(file: FileHandle, maxSize: number, usage: () => Usage) {
    this.#file = file
    this.#maxSize = maxSize
    this.#usage = usage
  }

  /** Why the file could not grow the last time it should; `undefined`: it could. */
  get failure(): unknown {
    return this.#failure?.error
  }

  /**
   * Sets room aside for a write of so many bytes, and lets the file grow for it if need be. Answers how much, to
   * be given back when the write is over, or 0 when there is not enough; then `failure` says why.
   *
   * @param needed whether the write may use the reserve
   */
  async take(bytes: number, needed: boolean): Promise<number> {
    for (;;) {
      this.#countdown -= 1
      if (this.#countdown <= 0 || this.#left < RESERVE + STEP) this.#measure()
      const cost = (PAGES_PER_WRITE + 2 * Math.ceil(bytes / this.#last.pageSize)) * this.#last.pageSize
      const growing = this.#left < cost + RESERVE + STEP ? this.#grow(cost) : undefined
      const kept = needed ? UNTOUCHED * this.#last.pageSize : RESERVE
      if (this.#left >= cost + kept) {
        this.#left -= cost
        this.#promised += cost
        return cost
      }
      if (this.#failure !== undefined) return 0
      await growing
    }
  }

  giveBack(taken: number): void {
    this.#promised -= taken
  }

  /** Lets the file grow, if it should. Never rejects: see `failure`. */
  async grow(): Promise<void> {
    await this.#grow(0)
  }

  async close(): Promise<void> {
    await this.#growing
    await this.#file.close()
  }

  async #grow(cost: number): Promise<void> {
    if (this.#failure !== undefined && performance.now() - this.#failure.at < BACK_OFF) return
    this.#growing ??= this.#append(RESERVE + 2 * STEP + cost).finally(() => (this.#growing = undefined))
    await this.#growing
  }

  #measure(): void {
    this.#countdown = BETWEEN_MEASURES
    this.#last = this.#usage()
    this.#left = fstatSync(this.#file.fd).size - this.#last.end - this.#promised
  }

  async #append(wanted: number): Promise<void> {
    try {
      for (this.#measure(); this.#left < wanted; this.#measure()) {
        const end = this.#last.end + this.#left + this.#promised
        if (end > this.#maxSize) throw new RangeError(`the file has reached its limit of ${this.#maxSize} bytes`)
        const { bytesWritten } = await this.#file.write(BLANK)
        // Less than all was the last of the disk; the next write says so.
        if (bytesWritten === 0) throw new RangeError('the disk takes no more')
      }
      this.#failure = undefined
    } catch (error) {
      this.#failure = { error, at: performance.now() }
    }
  }
}
