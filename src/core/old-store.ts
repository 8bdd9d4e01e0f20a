/** Stands before the store of old sessions: a deadline for each call, and a breaker while it does not answer. */
import { HoldfastError, StoreUnavailableError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type { Log } from '../types.ts'
import { Breaker } from './breaker.ts'
import type { OldSessions } from './old-sessions.ts'

export interface OldStoreGuarding {
  /** Milliseconds that any one call may take. */
  readonly deadline: number
  readonly log: Log
}

export class OldStore {
  readonly #name: string
  readonly #deadline: number
  readonly #breaker: Breaker

  constructor({ kind, probe }: OldSessions, { deadline, log }: OldStoreGuarding) {
    this.#name = `${kind}, to be adopted`
    this.#deadline = deadline
    this.#breaker = new Breaker({
      store: this.#name,
      calls: 'reads',
      probe: () => this.#within('get', async () => probe?.()),
      log,
      closed: () => undefined,
    })
  }

  /** Asks it. Rejects with `StoreUnavailableError`, at once while it is known not to answer. */
  async ask<Answer>(operation: string, ask: () => Promise<Answer>): Promise<Answer> {
    if (this.#breaker.open) throw this.#breaker.refusal(operation)
    const [begun, answers] = [performance.now(), this.#breaker.answers]
    try {
      const answer = await this.#within(operation, ask)
      this.#breaker.answers++
      return answer
    } catch (error) {
      if (error instanceof HoldfastError && !(error instanceof StoreUnavailableError)) throw error
      const silent = this.#breaker.answers === answers && performance.now() - begun >= this.#deadline / 2
      this.#breaker.failed(error, silent)
      throw error
    }
  }

  stop(): void {
    this.#breaker.stop()
  }

  async #within<Answer>(operation: string, ask: () => Promise<Answer>): Promise<Answer> {
    let late: NodeJS.Timeout | undefined
    const passed = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(new Error(`no answer within ${this.#deadline} ms`)), this.#deadline)
    })
    try {
      return await Promise.race([ask(), passed])
    } catch (error) {
      if (channels.store.hasSubscribers) channels.store.publish({ store: this.#name, operation, error })
      if (error instanceof HoldfastError) throw error
      const why = error instanceof Error ? error.message : String(error)
      throw new StoreUnavailableError(
        `The store of the old sessions (${this.#name}) failed at ${operation}: ${why}. Nobody was signed out.`,
        { applied: operation === 'get' ? 'no' : 'unknown', cause: error },
      )
    } finally {
      clearTimeout(late)
    }
  }
}
