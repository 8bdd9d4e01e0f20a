/**
 * The end of a cycle, which happens once: claim, run, record. Whoever comes second waits for the outcome. Whoever finds
 * the claim of a server that died says that the cycle is in doubt, or runs it again where that is asked for.
 */
import { setTimeout as pause } from 'node:timers/promises'

import { DataError, LimitError } from '../errors.ts'
import { letGo, take, type Claimed, type Held } from './claiming.ts'
import { encodeOutcome, expectClaim, writeClaim } from './cycle-record.ts'
import type { CycleError } from './errors.ts'
import type { Place, Stored } from './place.ts'
import { Recording, type Ending } from './recording.ts'
import type { News } from './realm.ts'
import { Renewal } from './renewal.ts'

/** What the final step is given. */
export interface FinalStep<State> {
  /** A copy: what is changed in it is kept nowhere. */
  readonly state: State
  /** Names this cycle's one effect, the same over all retries and servers. Hand it to what makes the effect: a payment, a mail. */
  readonly idempotencyKey: string
  /** Aborts when the claim has run out: from then on another server may take the cycle to be in doubt. */
  readonly signal: AbortSignal
  /** Says that nothing happened, and lets the visitor try again: `throw reopen('card declined')`. */
  readonly reopen: (reason: string) => Error
}

export interface Finished<Result> {
  readonly result: Result
  /** Whether it is the outcome of an earlier submission. */
  readonly repeated: boolean
}

export type Run<State, Result> = (step: FinalStep<State>) => Result | Promise<Result>

/** Milliseconds between two looks at a cycle that another runs: the first, and the longest. */
const LOOK_FIRST = 20
const LOOK_MOST = 250
/** An error's name that is longer is no name. */
const NAME_MOST = 100

/** What `run` throws, or returns, to say that nothing happened. */
class Reopen extends Error {
  override readonly name = 'Reopen'
}

/** What came out of a run. */
type Ran<Result> = { readonly result: Result } | { readonly reopened: string } | { readonly thrown: unknown }

export class Finishing<State, Result> {
  readonly #place: Place<State>
  readonly #run: Run<State, Result>
  readonly #until: number

  constructor(place: Place<State>, run: Run<State, Result>) {
    this.#place = place
    this.#run = run
    this.#until = performance.now() + place.realm.settings.patience
  }

  async finish(): Promise<Finished<Result>> {
    let look = LOOK_FIRST
    let claimed = await this.#begin()
    for (;;) {
      if ('ours' in claimed) {
        if (this.#place.realm.now() < claimed.ours.claim.deadline) return this.#perform(claimed.ours)
        claimed = await this.#overslept(claimed.ours)
        continue
      }
      const { theirs } = claimed
      switch (theirs === undefined ? 'open' : this.#place.standing(theirs.record)) {
        case 'done':
          return this.#repeat(theirs)
        case 'failed':
          throw this.#failed(theirs)
        case 'in-doubt':
          claimed = await this.#doubt(theirs as Stored)
          break
        case 'open':
          this.#refuseEarly(theirs)
          if (performance.now() > this.#until) throw this.#busy()
          claimed = await take(this.#place, theirs?.record)
          break
        case 'running':
          await this.#wait(look)
          look = Math.min(2 * look, LOOK_MOST)
          claimed = { theirs: await this.#place.load() }
      }
    }
  }

  /** The claim comes first, and the look with it; only a cycle that is too old is looked at without. */
  async #begin(): Promise<Claimed> {
    return this.#place.expired ? { theirs: await this.#place.load() } : take(this.#place)
  }

  async #wait(look: number): Promise<void> {
    const left = this.#until - performance.now()
    if (left <= 0) throw this.#busy()
    await pause(Math.min(look, left))
  }

  /**
   * This process was stopped, or the store slow, for so long that others may take the cycle to be in doubt. Nothing has
   * been run; but where somebody was told of the doubt already, nothing is run any more.
   */
  async #overslept(held: Held): Promise<Claimed> {
    return (await letGo(this.#place, held)) ? take(this.#place) : { theirs: await this.#place.load() }
  }

  /** The end comes after the last step, where steps are declared. */
  #refuseEarly(stored: Stored | undefined): void {
    const { steps } = this.#place.realm.settings
    const step = stored?.record.step
    if (steps === undefined || step === steps.length - 1) return
    const expected = steps[step === undefined ? 0 : step + 1]
    throw this.#place.error('ERR_CYCLE_STEP', `The end comes after the last step; next is '${expected}'.`, { expected })
  }

  async #perform(held: Held): Promise<Finished<Result>> {
    const renewal = new Renewal(this.#place, held)
    const ran = await this.#ran(held, renewal.signal)
    renewal.stop()
    const recording = new Recording(this.#place, held, renewal.record, this.#endingOf(ran))
    await this.#record(recording, renewal.deadline, ran)
    if ('result' in ran) return { result: ran.result, repeated: false }
    if ('thrown' in ran) throw ran.thrown
    const { reopened: reason } = ran
    throw this.#place.error('ERR_CYCLE_REOPENED', `Nothing happened: ${reason}.`, { reason })
  }

  async #ran({ record }: Held, signal: AbortSignal): Promise<Ran<Result>> {
    const { idempotencyKey } = this.#place
    const reopen = (reason: string): Error => new Reopen(reason)
    try {
      const result = await this.#run({ state: record.state as State, idempotencyKey, signal, reopen })
      return result instanceof Reopen ? { reopened: result.message } : { result }
    } catch (thrown) {
      return thrown instanceof Reopen ? { reopened: thrown.message } : { thrown }
    }
  }

  #endingOf(ran: Ran<Result>): Ending {
    const { limits } = this.#place.realm.services.settings
    if ('reopened' in ran) return { phase: 'open' }
    if ('thrown' in ran) return { phase: 'failed', outcome: encodeOutcome({ failure: nameOf(ran.thrown) }, limits) }
    try {
      return { phase: 'done', outcome: encodeOutcome({ result: ran.result }, limits) }
    } catch (error) {
      if (!(error instanceof DataError || error instanceof LimitError)) throw error
      // The effect has happened, whatever its value is: that is what counts.
      this.#warn(
        'The result of a cycle cannot be kept; who submits it again is told that it is finished, without it.',
        error,
      )
      return { phase: 'done', outcome: encodeOutcome({ valueless: true }, limits) }
    }
  }

  async #record(recording: Recording<State>, deadline: number, ran: Ran<Result>): Promise<void> {
    const word = 'result' in ran ? 'done' : 'thrown' in ran ? 'failed' : 'reopened'
    const what = await recording.whileItHolds(deadline)
    this.#tell(what === 'recorded' ? word : 'lost')
    if (what === 'recorded' || 'reopened' in ran) return
    if (what === 'lost') {
      return this.#warn('The outcome of a cycle was not recorded: another server has taken the cycle meanwhile.')
    }
    this.#warn('The outcome of a cycle could not be recorded yet: until then it is in doubt.', recording.error)
    void recording.afterwards().then((late) => this.#tell(late === 'recorded' ? word : 'lost'))
  }

  async #doubt(stored: Stored): Promise<Claimed> {
    const { record } = stored
    const { settings, services } = this.#place.realm
    if (record.phase === 'running') {
      // Its claimer is judged by the store's clock: this server's may not have been set yet.
      services.clock.set((await services.store.epoch()).now)
      if (this.#place.standing(record) === 'running') return { theirs: stored }
    }
    if (settings.onDoubt === 'retry') return take(this.#place, record)
    if (record.phase === 'running') {
      // Only where its claimer has given no sign since.
      const marked = writeClaim({ ...record, phase: 'in-doubt' }, this.#place.version())
      const answer = await this.#place.patch(expectClaim(record), marked)
      if (!answer.done) return { theirs: this.#place.read(answer.found) }
      this.#tell('in-doubt')
    }
    throw this.#place.error(
      'ERR_CYCLE_IN_DOUBT',
      'The server that ran the final step died, or could not record its outcome. Look under the idempotency key whether it happened.',
      { idempotencyKey: this.#place.idempotencyKey },
    )
  }

  #repeat(stored: Stored | undefined): Finished<Result> {
    this.#tell('repeated')
    if (stored?.record.valueless !== true) return { result: stored?.record.result as Result, repeated: true }
    throw this.#place.error('ERR_CYCLE_FINISHED', 'The cycle is finished; its result could not be kept.', {
      idempotencyKey: this.#place.idempotencyKey,
    })
  }

  #failed(stored: Stored | undefined): CycleError {
    const reason = stored?.record.failure
    return this.#place.error('ERR_CYCLE_FAILED', `The final step failed (${reason ?? 'error'}).`, {
      idempotencyKey: this.#place.idempotencyKey,
      reason,
    })
  }

  #busy(): CycleError {
    return this.#place.error('ERR_CYCLE_BUSY', 'The final step still runs on a server. Ask again.', { retryAfter: 2 })
  }

  #tell(what: News): void {
    this.#place.realm.tell(what, this.#place.idempotencyKey)
  }

  #warn(message: string, error?: unknown): void {
    this.#place.realm.warn(message, { idempotencyKey: this.#place.idempotencyKey, error })
  }
}

/** An application may throw what it likes, with any name. */
function nameOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown
  try {
    const name: unknown = thrown.name
    return String(name).slice(0, NAME_MOST)
  } catch {
    return 'Error'
  }
}
