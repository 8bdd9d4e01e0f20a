/**
 * The end of a cycle, which happens once: claim, run, record. A claim is one conditional step in the store, which only
 * one of all servers wins, and is confirmed by a replica where there is one, or nothing is run. While it runs, the
 * winner renews its claim. Whoever comes second waits for the outcome.
 */
import { setTimeout as pause } from 'node:timers/promises'

import type { Patched, Span } from '../core/store.ts'
import { StoreUnavailableError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import {
  decodeCycle,
  expectClaim,
  NO_CLAIM,
  versionBytes,
  writeClaim,
  type Claim,
  type CycleRecord,
  type Phase,
} from './cycle-record.ts'
import { wasStored } from './cycle-id.ts'
import type { CycleError } from './errors.ts'
import type { Place, Stored } from './place.ts'

/** What the final step is given. */
export interface FinalStep<State> {
  readonly state: State
  /** Names this cycle's one effect, the same over all retries and servers. Hand it to what makes the effect: a payment, a mail. */
  readonly idempotencyKey: string
  /** Aborts when the claim could not be renewed: another server may take the cycle to be in doubt. */
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
const STAMP_LENGTH = 8
/** Servers' clocks may differ by so much, in milliseconds. */
const CLOCKS_DIFFER = 1_000
/** Milliseconds between two attempts to record an outcome. */
const RECORD_AGAIN = 200

/** Thrown by `run` to say that nothing happened. */
class Reopen extends Error {
  override readonly name = 'Reopen'
}

/** What a claim met: it is ours now, or the record that stands there. */
type Claimed = { readonly ours: Held } | { readonly theirs: Stored }

/** A claim that is ours. */
interface Held {
  readonly claim: Claim
  readonly record: CycleRecord
  /** The version that the record has since the claim. */
  readonly version: Buffer
}

export class Finishing<State, Result> {
  readonly #place: Place<State>
  readonly #run: Run<State, Result>

  constructor(place: Place<State>, run: Run<State, Result>) {
    this.#place = place
    this.#run = run
  }

  async finish(): Promise<Finished<Result>> {
    const until = performance.now() + this.#place.settings.patience
    let look = LOOK_FIRST
    let claimed = await this.#begin()
    for (;;) {
      if ('ours' in claimed) return this.#perform(claimed.ours)
      const { record, bytes } = claimed.theirs
      if (record.phase === 'done') return this.#repeat(record)
      if (record.phase === 'failed') throw this.#failed(record.failure)
      if (this.#isInDoubt(record)) claimed = await this.#doubt({ record, bytes })
      else if (record.phase === 'open') claimed = await this.#claim('open', NO_CLAIM)
      else {
        const left = until - performance.now()
        if (left <= 0) throw this.#busy()
        await pause(Math.min(look, left))
        look = Math.min(2 * look, LOOK_MOST)
        const found = await this.#place.load()
        claimed = found === undefined ? await this.#claim('open', NO_CLAIM) : { theirs: found }
      }
    }
  }

  // Claiming

  /** The claim comes first, and the look with it; only a cycle that is too old is looked at without. */
  async #begin(): Promise<Claimed> {
    const late = this.#place.expired ? await this.#place.load() : undefined
    return late === undefined ? this.#claim('open', NO_CLAIM) : { theirs: late }
  }

  /** Takes the cycle from exactly that state of its claim. */
  async #claim(phase: Phase, before: Claim): Promise<Claimed> {
    const { services, settings, key, ttl } = this.#place
    const claim = { stamp: services.random(STAMP_LENGTH), deadline: this.#place.clock.now() + settings.lease }
    const stamp = this.#place.stamp()
    const counter = stamp.readUInt16BE(0) + 2
    const version = versionBytes(counter, stamp)
    const written = writeClaim('running', claim, counter, stamp)
    try {
      const answer = wasStored(this.#place.id)
        ? await services.store.patch(key, expectClaim(phase, before), written, ttl, 'replicated')
        : await this.#createOrPatch(expectClaim(phase, before), written, claim, counter, stamp)
      const found = answer.done ? answer.record : answer.found
      const stored = this.#place.read(found)
      if (stored === undefined) throw this.#place.error('ERR_CYCLE_UNKNOWN', 'The cycle is not in the store.')
      if (!answer.done) return { theirs: stored }
      const ours = { claim, record: stored.record, version }
      if (!answer.durable) await this.#unconfirmed(ours)
      await this.#refuseEarly(ours)
      return { ours }
    } catch (error) {
      // Whether the claim arrived is not known: nothing is run under it.
      if (error instanceof StoreUnavailableError && error.applied === 'unknown') this.#letGoSoon(claim)
      throw error
    }
  }

  /** A cycle that began without a state has no record before its first claim. */
  async #createOrPatch(
    expected: Span,
    written: Span,
    claim: Claim,
    counter: number,
    stamp: Uint8Array,
  ): Promise<Patched> {
    const { services, key, ttl } = this.#place
    const first = this.#place.encode({ counter, phase: 'running', claim, step: undefined, state: undefined }, stamp)
    const swap = await services.store.create(key, first, ttl, 'replicated')
    if (swap.done) return { done: true, durable: swap.durable, record: first }
    const found = swap.found
    const record = found === undefined ? undefined : decodeCycle(found)
    if (record === undefined || !sameClaim(expected, record)) return { done: false, found }
    return services.store.patch(key, expected, written, ttl, 'replicated')
  }

  /** No replica has the claim: after a fail-over the cycle would be open again. So nothing is run. */
  async #unconfirmed({ claim }: Held): Promise<never> {
    await this.#letGo(claim).catch(() => this.#letGoSoon(claim))
    throw new StoreUnavailableError(
      `No replica confirmed the claim on a cycle (${this.#place.settings.kind}), so its final step was not run. Try again.`,
    )
  }

  /** The end comes after the last step, where steps are declared. */
  async #refuseEarly({ claim, record }: Held): Promise<void> {
    const { steps } = this.#place.settings
    if (steps === undefined || record.step === steps.length - 1) return
    await this.#letGo(claim).catch(() => this.#letGoSoon(claim))
    const expected = steps[record.step === undefined ? 0 : record.step + 1]
    throw this.#place.error('ERR_CYCLE_STEP', `The end comes after the last step; next is '${expected}'.`, { expected })
  }

  async #letGo(claim: Claim): Promise<void> {
    const { services, key, ttl } = this.#place
    const stamp = this.#place.stamp()
    const open = writeClaim('open', NO_CLAIM, stamp.readUInt16BE(0) + 2, stamp)
    await services.store.patch(key, expectClaim('running', claim), open, ttl)
  }

  /** The same in the background, while the claim would hold; nobody waits for it. */
  #letGoSoon(claim: Claim): void {
    const attempt = async (): Promise<void> => {
      while (this.#place.clock.now() < claim.deadline) {
        await pause(RECORD_AGAIN, undefined, { ref: false })
        const done = await this.#letGo(claim).then(
          () => true,
          () => false,
        )
        if (done) return
      }
    }
    void attempt()
  }

  // Running

  async #perform(held: Held): Promise<Finished<Result>> {
    const { idempotencyKey } = this.#place
    const renewal = new Renewal(this.#place, held)
    try {
      const result = await this.#run({
        state: held.record.state as State,
        idempotencyKey,
        signal: renewal.signal,
        reopen: (reason) => new Reopen(reason),
      })
      await this.#record(renewal, (record) => this.#withResult(record, result))
      return { result, repeated: false }
    } catch (error) {
      if (error instanceof Reopen) {
        await this.#record(renewal, (record) => ({ ...record, phase: 'open', claim: NO_CLAIM }))
        throw this.#place.error('ERR_CYCLE_REOPENED', `Nothing happened: ${error.message}.`, { reason: error.message })
      }
      const failure = error instanceof Error ? error.name : typeof error
      await this.#record(renewal, (record) => ({ ...record, phase: 'failed', failure }))
      throw error
    } finally {
      renewal.stop()
    }
  }

  #withResult(record: CycleRecord, result: Result): CycleRecord {
    const done: CycleRecord = { ...record, phase: 'done', result }
    try {
      this.#place.encode(done)
      return done
    } catch (error) {
      // The effect has happened, whatever its value is: that is what counts.
      this.#place.services.settings.log.error(
        { cycle: this.#place.settings.kind, error },
        'The result of a cycle cannot be kept; who submits it again is told that it is finished, without the result.',
      )
      return { ...done, result: undefined, valueless: true }
    }
  }

  /** Writes the outcome in the place of the claim, as long as that may still be ours. What cannot be recorded leaves the cycle in doubt. */
  async #record(renewal: Renewal<State>, outcome: (record: CycleRecord) => CycleRecord): Promise<void> {
    const record = await renewal.settled()
    const { services, key, index } = this.#place
    const bytes = this.#place.encode({ ...outcome(record), counter: record.counter + 1 })
    const over = decodeCycle(bytes)?.phase !== 'open'
    for (;;) {
      try {
        const [swap] = await Promise.all([
          services.store.replace(key, renewal.version, bytes, this.#place.ttl, 'replicated'),
          over ? services.store.withdraw(index, key) : undefined,
        ])
        // After an answer that was lost, what stands there is our own.
        const recorded = swap.done || (swap.found !== undefined && Buffer.compare(swap.found, bytes) === 0)
        if (recorded || !renewal.take(swap.found)) return this.#told(recorded ? 'recorded' : 'lost')
      } catch (error) {
        if (this.#place.clock.now() > renewal.deadline) return this.#told('lost', error)
        await pause(RECORD_AGAIN)
      }
    }
  }

  #told(what: 'recorded' | 'lost', error?: unknown): void {
    channels.cycle.publish({ cycle: this.#place.settings.kind, what })
    if (what === 'recorded') return
    this.#place.services.settings.log.error(
      { cycle: this.#place.settings.kind, idempotencyKey: this.#place.idempotencyKey, error },
      'The outcome of a cycle could not be recorded: it is in doubt.',
    )
  }

  // What others left

  #isInDoubt(record: CycleRecord): boolean {
    if (record.phase === 'in-doubt') return true
    return record.phase === 'running' && this.#place.clock.now() > record.claim.deadline + CLOCKS_DIFFER
  }

  async #doubt({ record }: Stored): Promise<Claimed> {
    const { settings, services, key, ttl } = this.#place
    if (settings.onDoubt === 'retry') return this.#claim(record.phase, record.claim)
    if (record.phase === 'running') {
      const stamp = this.#place.stamp()
      const marked = writeClaim('in-doubt', record.claim, record.counter + 1, stamp)
      const answer = await services.store.patch(key, expectClaim('running', record.claim), marked, ttl)
      if (!answer.done) {
        const found = this.#place.read(answer.found)
        if (found !== undefined) return { theirs: found }
      }
      channels.cycle.publish({ cycle: settings.kind, what: 'in-doubt' })
    }
    throw this.#place.error(
      'ERR_CYCLE_IN_DOUBT',
      'The server that ran the final step died, or could not record its outcome. Look under the idempotency key whether it happened.',
      { idempotencyKey: this.#place.idempotencyKey },
    )
  }

  #repeat(record: CycleRecord): Finished<Result> {
    channels.cycle.publish({ cycle: this.#place.settings.kind, what: 'repeated' })
    if (record.valueless !== true) return { result: record.result as Result, repeated: true }
    throw this.#place.error('ERR_CYCLE_FINISHED', 'The cycle is finished; its result could not be kept.', {
      idempotencyKey: this.#place.idempotencyKey,
    })
  }

  #failed(failure: string | undefined): CycleError {
    return this.#place.error('ERR_CYCLE_FAILED', `The final step failed (${failure ?? 'error'}).`, {
      idempotencyKey: this.#place.idempotencyKey,
      reason: failure,
    })
  }

  #busy(): CycleError {
    return this.#place.error('ERR_CYCLE_BUSY', 'The final step still runs on a server. Ask again.', { retryAfter: 2 })
  }
}

/** Keeps a claim alive while its final step runs. */
class Renewal<State> {
  readonly #place: Place<State>
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  #record: CycleRecord
  #running: Promise<void> = Promise.resolve()
  version: Uint8Array

  constructor(place: Place<State>, { record, version }: Held) {
    this.#place = place
    this.#record = record
    this.version = version
    this.#timer = setInterval(() => this.#renewSoon(), place.settings.lease / 3)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get deadline(): number {
    return this.#record.claim.deadline
  }

  /** The record as it stands, once no renewal is under way; none begins any more. */
  async settled(): Promise<CycleRecord> {
    this.stop()
    await this.#running
    return this.#record
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Somebody else wrote. Answers whether the claim in it is still ours: then its version is what to replace. */
  take(found: Uint8Array | undefined): boolean {
    const record = found === undefined ? undefined : decodeCycle(found)
    const ours = record?.claim.stamp.equals(this.#record.claim.stamp) === true
    if (found === undefined || record === undefined || !ours) return false
    if (record.phase !== 'running' && record.phase !== 'in-doubt') return false
    this.version = found.slice(1, 9)
    this.#record = { ...this.#record, counter: record.counter }
    return true
  }

  #renewSoon(): void {
    this.#running = this.#running.then(() => this.#renew()).catch(() => this.#lostAfterDeadline())
  }

  async #renew(): Promise<void> {
    const { services, settings, key, ttl, clock } = this.#place
    const { claim, counter } = this.#record
    const next = { stamp: claim.stamp, deadline: clock.now() + settings.lease }
    const stamp = this.#place.stamp()
    const written = writeClaim('running', next, counter + 1, stamp)
    const answer = await services.store.patch(key, expectClaim('running', claim), written, ttl)
    if (!answer.done && !this.take(answer.found)) return this.#controller.abort()
    if (!answer.done) return
    this.#record = { ...this.#record, claim: next, counter: counter + 1 }
    this.version = versionBytes(counter + 1, stamp)
  }

  #lostAfterDeadline(): void {
    if (this.#place.clock.now() > this.deadline) this.#controller.abort()
  }
}

function sameClaim({ bytes }: Span, record: CycleRecord): boolean {
  return Buffer.from(bytes).equals(Buffer.from(expectClaim(record.phase, record.claim).bytes))
}
