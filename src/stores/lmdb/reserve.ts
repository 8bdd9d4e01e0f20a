/**
 * A file that only takes up room on the disk. When the disk is full it is removed, so that sessions can still
 * be ended: an end writes to pages of its own before it frees others.
 */
import { randomBytes } from 'node:crypto'
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Room for some hundred ends, each in a transaction of its own. */
const SIZE = 1024 * 1024

export class Reserve {
  readonly #file: string

  constructor(directory: string) {
    this.#file = join(directory, 'reserve')
  }

  /** Makes the file where it is missing. On a full disk it goes without, until the next call. */
  async keep(): Promise<void> {
    const draft = `${this.#file}.${randomBytes(6).toString('hex')}`
    try {
      if (await this.#isThere()) return
      // Of random bytes: a file system that compresses must not save this room.
      await writeFile(draft, randomBytes(SIZE), { mode: 0o600, flag: 'wx' })
      await rename(draft, this.#file)
    } catch {
      await rm(draft, { force: true })
    }
  }

  /** Gives the room away. Answers whether there was any. */
  async release(): Promise<boolean> {
    const wasThere = await this.#isThere()
    await rm(this.#file, { force: true })
    return wasThere
  }

  async #isThere(): Promise<boolean> {
    try {
      return (await stat(this.#file)).size >= SIZE
    } catch {
      return false
    }
  }
}
