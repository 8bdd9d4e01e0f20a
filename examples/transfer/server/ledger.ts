/**
 * The ledger: a file to which both servers append, one line for each time that a transfer is carried out. It stands for
 * what an action does outside the sessions, such as a payment. It would take a second line for the same transfer without
 * a word, so what it has is what really happened.
 */
import { appendFile, readFile } from 'node:fs/promises'
import path from 'node:path'

import type { Account } from '../transfer.ts'
import type { ServerName, World } from '../worlds.ts'

export interface Entry {
  readonly idempotencyKey: string
  readonly user: string
  readonly from: Account
  readonly to: string
  readonly cents: number
  readonly carriedOutBy: ServerName
  /** ISO 8601. */
  readonly at: string
}

export class Ledger {
  readonly #file: string

  constructor(folder: string, world: World) {
    this.#file = path.join(folder, `ledger-${world.id}.jsonl`)
  }

  /** One short write at the file's end, which no other process's write comes between. */
  async append(entry: Entry): Promise<void> {
    await appendFile(this.#file, `${JSON.stringify(entry)}\n`)
  }

  /** What was carried out for a user, newest first. */
  async entriesOf(user: string | undefined): Promise<Entry[]> {
    return (await this.#entries()).filter((entry) => entry.user === user).toReversed()
  }

  /** What was carried out under one key: nothing or one entry, if all is well. */
  async entriesUnder(idempotencyKey: string | undefined): Promise<Entry[]> {
    return (await this.#entries()).filter((entry) => entry.idempotencyKey === idempotencyKey)
  }

  async #entries(): Promise<Entry[]> {
    const lines = (await this.#read()).split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as Entry)
  }

  /** There is no file before the first entry. */
  async #read(): Promise<string> {
    try {
      return await readFile(this.#file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
      throw error
    }
  }
}
