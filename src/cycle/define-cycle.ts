/** Action cycles, as applications define and use them. */
import { endReasonOf, isEnded } from '../core/record.ts'
import { bondOf } from '../core/session.ts'
import { hiddenField } from '../csrf/field.ts'
import type { SessionCsrf } from '../types.ts'
import { begunAt, mintId, type CycleId } from './cycle-id.ts'
import { decodeCycle, NO_CLAIM, type CycleRecord, type Phase } from './cycle-record.ts'
import { Finishing, type Finished, type Run } from './finishing.ts'
import { enter, entered, leave } from './open-cycles.ts'
import { resolveCycleOptions, type CycleOptions, type CycleSettings } from './options.ts'
import { Place, placeOf, placeOfToken } from './place.ts'
import { validated } from './schema.ts'

export type { Finished, FinalStep } from './finishing.ts'

/** What a session is to cycles: any that `req.session` or `sessions.of(req)` gives. */
export interface CycleSession {
  readonly handle: string | undefined
  readonly csrf: SessionCsrf
}

/** One action of one visitor, as it stands. */
export interface Cycle<State, Result = unknown> {
  /** Names the cycle within its session. No secret: it may stand in a URL. */
  readonly id: string
  /** Carries the cycle through a form or a header, and is a CSRF token. Every `Cycle` has other bytes. */
  readonly token: string
  /** The token as a hidden input, escaped. */
  field(): string
  readonly state: State
  /** The last step that was taken; `undefined`: none. */
  readonly step: string | undefined
  /** The step that is next, where steps are declared; `undefined`: none but the end. */
  readonly next: string | undefined
  readonly begunAt: Date
  readonly expiresAt: Date
  /** `'running'`: its final step is on a server; `'in-doubt'`: that server died. */
  readonly status: Phase
  /** What the final step returned, where the status is `'done'`. */
  readonly result: Result | undefined
}

/** A kind of action. */
export interface CycleKind<State, Result> {
  readonly name: string
  /** Begins a cycle. Without a state nothing is written until the end. Throws `CycleError` at the limit or for a state that the schema refuses. */
  begin(session: CycleSession, state?: State): Promise<Cycle<State, Result>>
  /** The cycle as it stands, finished ones included. Throws `CycleError`. */
  load(session: CycleSession, idOrToken: string | undefined): Promise<Cycle<State, Result>>
  /**
   * Takes a step: `change` gets a copy of the state, and changes it or returns another. It is synchronous and may run
   * again, on what another tab has written meanwhile. Throws `CycleError`.
   */
  step(
    session: CycleSession,
    token: string | undefined,
    change: (state: State) => State | undefined | void,
    step?: string,
  ): Promise<Cycle<State, Result>>
  /**
   * The end, which happens once: the first submission runs `run`, all others get its result. Throws `CycleError`, and
   * for the one who ran it what `run` threw.
   */
  finish(session: CycleSession, token: string | undefined, run: Run<State, Result>): Promise<Finished<Result>>
  /** Ends the cycle without an outcome. Answers whether it was open. */
  abandon(session: CycleSession, idOrToken: string | undefined): Promise<boolean>
  /** The open cycles of this session that have a state, newest first. */
  list(session: CycleSession): Promise<Cycle<State, Result>[]>
}

/**
 * Defines a kind of action cycle. Keep it beside the routes that it is for; any number of managers may use it.
 *
 * @param name names the kind in the store; the same on every server
 * @throws OptionsError for a name or options that are wrong
 */
export function defineCycle<State = undefined, Result = unknown>(
  name: string,
  options: CycleOptions<State> = {},
): CycleKind<State, Result> {
  return new Kind<State, Result>(resolveCycleOptions(name, options))
}

/** How often a step is tried again on what another tab has written. */
const ROUNDS_MOST = 20

class Kind<State, Result> implements CycleKind<State, Result> {
  readonly #settings: CycleSettings<State>

  constructor(settings: CycleSettings<State>) {
    this.#settings = settings
  }

  get name(): string {
    return this.#settings.kind
  }

  async begin(session: CycleSession, state?: State): Promise<Cycle<State, Result>> {
    const bond = bondOf(session)
    bond.refuseUnchecked()
    const valid = state === undefined ? undefined : await validated(this.#settings.schema, state)
    const { services } = bond
    const id = mintId(services.random, services.clock.now(), valid !== undefined)
    const place = new Place(this.#settings, services, bond.issueLineage(), id, session.handle)
    const record: CycleRecord = { counter: 1, phase: 'open', claim: NO_CLAIM, step: undefined, state: valid }
    if (valid === undefined) return this.#show(place, record)
    await this.#create(place, record)
    return this.#show(place, record)
  }

  async load(session: CycleSession, idOrToken: string | undefined): Promise<Cycle<State, Result>> {
    const place = placeOf(this.#settings, bondOf(session), idOrToken, session.handle)
    const stored = await place.load()
    return this.#show(place, stored?.record ?? BLANK)
  }

  async step(
    session: CycleSession,
    token: string | undefined,
    change: (state: State) => State | undefined | void,
    step?: string,
  ): Promise<Cycle<State, Result>> {
    const place = placeOfToken(this.#settings, bondOf(session), token, session.handle)
    let stored = await place.load()
    for (let round = 0; round < ROUNDS_MOST; round++) {
      const next = await this.#next(place, stored?.record ?? BLANK, change, step)
      if (stored === undefined) {
        const found = await this.#createWhereNone(place, next)
        if (found === 'created') return this.#show(place, next)
        stored = place.read(found.found)
        continue
      }
      const swap = await place.replace(stored.bytes, next)
      if (swap === 'replaced') return this.#show(place, next)
      stored = place.read(swap.found)
    }
    throw place.error('ERR_CYCLE_BUSY', 'The cycle changes faster elsewhere than this step could be taken.', {
      retryAfter: 1,
    })
  }

  async finish(session: CycleSession, token: string | undefined, run: Run<State, Result>): Promise<Finished<Result>> {
    const place = placeOfToken(this.#settings, bondOf(session), token, session.handle)
    return new Finishing<State, Result>(place, run).finish()
  }

  async abandon(session: CycleSession, idOrToken: string | undefined): Promise<boolean> {
    const bond = bondOf(session)
    bond.refuseUnchecked()
    const place = placeOf(this.#settings, bond, idOrToken, session.handle)
    const bytes = await place.services.store.load(place.key)
    if (bytes !== undefined && isEnded(bytes)) return endReasonOf(bytes) !== 'signed-out'
    const stored = place.read(bytes)
    if (stored !== undefined && stored.record.phase !== 'open') throw this.#tooLate(place, stored.record)
    await leave(place, place.key, 'signed-out')
    return true
  }

  async list(session: CycleSession): Promise<Cycle<State, Result>[]> {
    const bond = bondOf(session)
    const lineage = bond.lineage()
    if (lineage === undefined) return []
    // The index is that of all cycles of this kind and session: any id leads to it.
    const any = new Place(this.#settings, bond.services, lineage, Buffer.alloc(18) as CycleId, session.handle)
    const keys = await entered(any)
    const found = await Promise.all(keys.map(async (key) => bond.services.store.load(key)))
    return found.flatMap((bytes) => this.#listed(any, bytes))
  }

  #listed(any: Place<State>, bytes: Uint8Array | undefined): Cycle<State, Result>[] {
    if (bytes === undefined || isEnded(bytes)) return []
    const record = decodeCycle(bytes)
    if (record?.phase !== 'open') return []
    return [this.#show(any.at(record.id), record)]
  }

  async #create(place: Place<State>, record: CycleRecord): Promise<void> {
    await enter(place, async () => {
      const swap = await place.services.store.create(place.key, place.encode(record), place.ttl)
      if (!swap.done) throw place.error('ERR_CYCLE_UNKNOWN', 'A cycle of this id exists already: begin again.')
    })
  }

  /** A cycle that began without a state gets its record with its first step. */
  async #createWhereNone(
    place: Place<State>,
    record: CycleRecord,
  ): Promise<'created' | { readonly found: Uint8Array | undefined }> {
    const { store } = place.services
    const swap = await store.create(place.key, place.encode(record), place.ttl)
    if (!swap.done) return { found: swap.found }
    await store.enroll(place.index, place.key, place.lifetime)
    return 'created'
  }

  /** The record after a step. Throws `CycleError` where it is too late or too early for it. */
  async #next(
    place: Place<State>,
    record: CycleRecord,
    change: (state: State) => State | undefined | void,
    step: string | undefined,
  ): Promise<CycleRecord> {
    if (record.phase !== 'open') throw this.#tooLate(place, record)
    const at = this.#placeOfStep(place, record, step)
    const before = structuredClone(record.state) as State
    const after = change(before)
    const state = await validated(this.#settings.schema, after === undefined ? before : after)
    return { ...record, counter: record.counter + 1, step: at, state }
  }

  #placeOfStep(place: Place<State>, record: CycleRecord, step: string | undefined): number | undefined {
    const { steps } = this.#settings
    if (steps === undefined) return record.step
    const next = record.step === undefined ? 0 : record.step + 1
    const at = step === undefined ? next : steps.indexOf(step)
    if (at >= 0 && at <= next && at < steps.length) return at
    const expected = steps[next]
    const what = step === undefined ? 'There is no step left' : `'${step}' is not next`
    throw place.error('ERR_CYCLE_STEP', `${what}; next is ${expected === undefined ? 'the end' : `'${expected}'`}.`, {
      expected,
    })
  }

  #tooLate(place: Place<State>, record: CycleRecord): Error {
    if (record.phase === 'running')
      return place.error('ERR_CYCLE_BUSY', 'The final step runs already.', { retryAfter: 2 })
    if (record.phase === 'in-doubt')
      return place.error('ERR_CYCLE_IN_DOUBT', 'The final step may have run.', { idempotencyKey: place.idempotencyKey })
    return place.error('ERR_CYCLE_FINISHED', 'The cycle is over.', { idempotencyKey: place.idempotencyKey })
  }

  #show(place: Place<State>, record: CycleRecord): Cycle<State, Result> {
    const { steps } = this.#settings
    const token = place.token()
    return {
      id: place.id.toString('base64url'),
      token,
      field: () => hiddenField(token),
      state: record.state as State,
      step: record.step === undefined ? undefined : steps?.[record.step],
      next: steps?.[record.step === undefined ? 0 : record.step + 1],
      begunAt: new Date(begunAt(place.id)),
      expiresAt: new Date(place.expiresAt),
      status: record.phase,
      result: record.result as Result | undefined,
    }
  }
}

/** What is not stored yet. */
const BLANK: CycleRecord = Object.freeze({
  counter: 0,
  phase: 'open',
  claim: NO_CLAIM,
  step: undefined,
  state: undefined,
})
