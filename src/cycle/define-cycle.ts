/** Action cycles, as applications define and use them. */
import { isEnded } from '../core/record.ts'
import { bondOf } from '../core/session.ts'
import { hiddenField } from '../csrf/field.ts'
import type { SessionCsrf } from '../types.ts'
import { UNCLAIMED, type CycleRecord, type Phase } from './cycle-record.ts'
import { Finishing, type Finished, type Run } from './finishing.ts'
import { enroll, enter, entriesOf, openOf, roomFor } from './open-cycles.ts'
import { resolveCycleOptions, type CycleOptions, type CycleSettings } from './options.ts'
import { newPlace, placeOf, placeOfToken, type Place, type Stored, type Written } from './place.ts'
import { Realm, realmOf } from './realm.ts'
import { validated } from './schema.ts'

export type { Finished, FinalStep, Run } from './finishing.ts'

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
  /** The last step that was taken, where steps are declared; `undefined`: none. */
  readonly step: string | undefined
  /** The step that is next, where steps are declared; `undefined`: none but the end. */
  readonly next: string | undefined
  readonly begunAt: Date
  readonly expiresAt: Date
  /** `'running'`: its final step is on a server. `'in-doubt'`: that server died, or could not record the outcome. */
  readonly status: Phase
  /** What the final step returned, where the status is `'done'`. */
  readonly result: Result | undefined
}

/** The state of a new cycle: none is needed where there may be none. */
export type FirstState<State> = undefined extends State ? [state?: State] : [state: State]

/** How a step makes a new state of the one before: by changing it, or by returning another. */
export type Change<State> = (state: State) => State | undefined | void

/** A kind of action. */
export interface CycleKind<State, Result> {
  readonly name: string
  /**
   * Begins a cycle. Without a state nothing is written until its first step or its end. Throws `CycleError` at the limit
   * or for a state that the schema refuses, `DataError` and `LimitError` for one that cannot be kept.
   */
  begin(session: CycleSession, ...state: FirstState<State>): Promise<Cycle<State, Result>>
  /** The cycle as it stands, finished ones included. Throws `CycleError`. */
  load(session: CycleSession, idOrToken: string | undefined): Promise<Cycle<State, Result>>
  /**
   * Takes a step: `change` gets a copy of the state, and changes it or returns another. It is synchronous and may run
   * again, on what another tab has written meanwhile. Throws `CycleError`; and `CommitUnknownError` where the store did
   * not confirm the step, which counts once or not at all.
   *
   * @param step its name, where steps are declared. Default: the next one
   */
  step(
    session: CycleSession,
    token: string | undefined,
    change: Change<State>,
    step?: string,
  ): Promise<Cycle<State, Result>>
  /**
   * The end, which happens once: the first submission runs `run`, all others get its result. Throws `CycleError`;
   * `StoreUnavailableError` where `run` was not begun because the store failed; and for the one who ran it what `run` threw.
   */
  finish(session: CycleSession, token: string | undefined, run: Run<State, Result>): Promise<Finished<Result>>
  /** Ends the cycle without an outcome. Answers whether it was open. Throws `CycleError` where its final step has begun. */
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

/** How often a step, or an end, is tried again on what another tab has written. */
const ROUNDS_MOST = 20

class Kind<State, Result> implements CycleKind<State, Result> {
  readonly #settings: CycleSettings<State>

  constructor(settings: CycleSettings<State>) {
    this.#settings = settings
  }

  get name(): string {
    return this.#settings.kind
  }

  async begin(session: CycleSession, ...[state]: FirstState<State>): Promise<Cycle<State, Result>> {
    const bond = bondOf(session)
    bond.refuseUnchecked()
    const valid = state === undefined ? undefined : await validated(this.#settings.schema, state)
    const realm = new Realm(this.#settings, bond, bond.issueLineage(), session.handle)
    const place = newPlace(realm, valid !== undefined)
    const record: CycleRecord = { ...UNCLAIMED, id: place.id, step: undefined, state: valid }
    if (valid === undefined) return this.#show(place, record)
    const bytes = place.unclaimed(record, valid)
    await realm.refuseOutgrown()
    await enter(place, async () => {
      if ((await place.create(bytes)) !== 'stored')
        throw place.error('ERR_CYCLE_UNKNOWN', 'A cycle of this id exists already: begin again.')
    })
    return this.#show(place, record)
  }

  async load(session: CycleSession, idOrToken: string | undefined): Promise<Cycle<State, Result>> {
    const place = placeOf(this.#settings, bondOf(session), idOrToken, session.handle)
    await place.realm.refuseOutgrown()
    return this.#show(place, recordOf(place, await place.load()))
  }

  async step(
    session: CycleSession,
    token: string | undefined,
    change: Change<State>,
    step?: string,
  ): Promise<Cycle<State, Result>> {
    const place = placeOfToken(this.#settings, bondOf(session), token, session.handle)
    await place.realm.refuseOutgrown()
    const { found, entries } = await look(place)
    let stored = found
    for (let round = 0; round < ROUNDS_MOST; round++) {
      const before = recordOf(place, stored)
      const next = await this.#next(place, before, change, step)
      const written = await write(place, {
        before: stored,
        next,
        enters: !place.stored && before.step === undefined,
        entries,
      })
      if (written === 'stored') return this.#show(place, next)
      stored = place.read(written.found)
    }
    throw this.#crowded(place)
  }

  async finish(session: CycleSession, token: string | undefined, run: Run<State, Result>): Promise<Finished<Result>> {
    const place = placeOfToken(this.#settings, bondOf(session), token, session.handle)
    await place.realm.refuseOutgrown()
    return new Finishing<State, Result>(place, run).finish()
  }

  async abandon(session: CycleSession, idOrToken: string | undefined): Promise<boolean> {
    const bond = bondOf(session)
    bond.refuseUnchecked()
    const place = placeOf(this.#settings, bond, idOrToken, session.handle)
    await place.realm.refuseOutgrown()
    let bytes = await place.realm.services.store.load(place.key)
    for (let round = 0; round < ROUNDS_MOST; round++) {
      if (bytes !== undefined && isEnded(bytes)) return false
      const stored = place.read(bytes)
      if (stored !== undefined && stored.record.phase !== 'open') throw this.#tooLate(place, stored.record)
      const written = await place.end('signed-out', bytes)
      if (written === 'stored') {
        await place.withdraw()
        return true
      }
      bytes = written.found
    }
    throw this.#crowded(place)
  }

  async list(session: CycleSession): Promise<Cycle<State, Result>[]> {
    const realm = realmOf(this.#settings, bondOf(session), session.handle)
    if (realm === undefined || !(await realm.entitled())) return []
    const open = await openOf(realm)
    return open.toReversed().map(({ place, record }) => this.#show(place, record))
  }

  /** The record after a step. Throws `CycleError` where it is too late or too early for it. */
  async #next(
    place: Place<State>,
    record: CycleRecord,
    change: Change<State>,
    step: string | undefined,
  ): Promise<CycleRecord> {
    if (record.phase !== 'open') throw this.#tooLate(place, record)
    const at = this.#placeOfStep(place, record, step)
    // Read from the store just now, and so nobody else's.
    const before = record.state as State
    const after = change(before)
    refusePromise(after)
    const state = await validated(this.#settings.schema, after === undefined ? before : after)
    return { ...record, step: at, state }
  }

  #placeOfStep(place: Place<State>, record: CycleRecord, step: string | undefined): number {
    const { steps } = this.#settings
    if (steps === undefined) return 0
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
    const { idempotencyKey } = place
    const phase = place.standing(record)
    if (phase === 'running') return place.error('ERR_CYCLE_BUSY', 'The final step runs already.', { retryAfter: 2 })
    if (phase === 'in-doubt')
      return place.error('ERR_CYCLE_IN_DOUBT', 'The final step may have run.', { idempotencyKey })
    return place.error('ERR_CYCLE_FINISHED', 'The cycle is over.', { idempotencyKey })
  }

  #crowded(place: Place<State>): Error {
    return place.error('ERR_CYCLE_BUSY', 'The cycle changes faster elsewhere than it could be changed here.', {
      retryAfter: 1,
    })
  }

  #show(place: Place<State>, record: CycleRecord): Cycle<State, Result> {
    const { steps } = this.#settings
    let made: string | undefined
    const token = (): string => {
      place.realm.noteToken()
      return (made ??= place.token())
    }
    return {
      id: place.id.toString('base64url'),
      // Only where it is asked for is the page this visitor's alone.
      get token() {
        return token()
      },
      field: () => hiddenField(token()),
      state: record.state as State,
      step: record.step === undefined ? undefined : steps?.[record.step],
      next: steps?.[record.step === undefined ? 0 : record.step + 1],
      begunAt: new Date(place.begunAt),
      expiresAt: new Date(place.expiresAt),
      status: place.standing(record),
      result: record.result as Result | undefined,
    }
  }
}

/** The cycle, and at the same time, where its first step brings it into the index, how many entries are in it. */
async function look<State>(place: Place<State>): Promise<{ found: Stored | undefined; entries: number }> {
  const counted = place.stored ? 0 : entriesOf(place.realm)
  const [found, entries] = await Promise.all([place.load(), counted])
  return { found, entries }
}

/** A record that is to be written. `enters`: it is the first step of a cycle that began without a state, which comes into the index with it. */
interface Writing {
  readonly before: Stored | undefined
  readonly next: CycleRecord
  readonly enters: boolean
  readonly entries: number
}

async function write<State>(place: Place<State>, { before, next, enters, entries }: Writing): Promise<Written> {
  const bytes = place.unclaimed(next, next.state)
  const store = (): Promise<Written> =>
    before === undefined ? place.create(bytes) : place.replace(before.bytes, bytes)
  if (!enters) return store()
  await roomFor(place.realm, entries)
  // A step that was taken counts, whether or not the list learns of it.
  const [written] = await Promise.all([store(), enroll(place).catch(() => undefined)])
  return written
}

/** A step may run again, and its result counts at once. Throws `TypeError` for a promise. */
function refusePromise(result: unknown): void {
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== 'function') return
  // What becomes of it is nobody's business any more.
  Promise.resolve(result).catch(() => undefined)
  throw new TypeError(
    'The function given to step() must be synchronous, because it may run again: await before it, not in it.',
  )
}

function recordOf<State>(place: Place<State>, stored: Stored | undefined): CycleRecord {
  return stored?.record ?? { ...UNCLAIMED, id: place.id, step: undefined, state: undefined }
}
