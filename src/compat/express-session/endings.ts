/**
 * Which sessions were ended in this process, so that no request that had loaded one of them before saves it again. A plain
 * store knows no such thing: its `set` puts back what is gone. What other processes end, only a Holdfast store can tell.
 */
import type { SessionStore } from './store-contract.ts'

/** A point in the order of what happens in this process. */
export type Moment = number

/** What became of a session since some moment. `'unknown'`: had it been ended, that might be forgotten by now. */
export type Fate = 'live' | 'ended' | 'unknown'

interface End {
  /** When the store had it; `Infinity` until then. */
  at: Moment
  readonly begun: number
}

/** Nearly every request is over by then, in milliseconds; who is not has to ask the store. */
const REMEMBERED_FOR = 15 * 60_000
const REMEMBERED_MOST = 10_000
/** A store that has not answered by then will not, in milliseconds. Whoever finds the session later may have it. */
const ANSWERED_WITHIN = 30_000

let moments: Moment = 0

/** Later than every moment before. */
export function thisMoment(): Moment {
  return ++moments
}

export class Endings {
  readonly #ends = new Map<string, End>()
  /** The latest end that is forgotten. */
  #forgotten: Moment = 0

  /** An end is on its way to the store. Call the answer when it has arrived, or failed; only the first call counts. */
  begin(id: string): (failed: boolean) => void {
    const end: End = { at: Number.POSITIVE_INFINITY, begun: performance.now() }
    this.#forget()
    this.#ends.delete(id)
    this.#ends.set(id, end)
    let known = false
    return (failed) => {
      if (known) return
      known = true
      if (!failed) end.at = thisMoment()
      else if (this.#ends.get(id) === end) this.#ends.delete(id)
    }
  }

  /** What became, after this moment, of a session that was there then. One that is being ended is ended. */
  fateOf(id: string, moment: Moment): Fate {
    const end = this.#ends.get(id)
    if (end === undefined) return moment < this.#forgotten ? 'unknown' : 'live'
    if (end.at === Number.POSITIVE_INFINITY && performance.now() - end.begun > ANSWERED_WITHIN) end.at = thisMoment()
    return end.at > moment ? 'ended' : 'live'
  }

  /** The oldest go first. */
  #forget(): void {
    const now = performance.now()
    for (const [id, { at, begun }] of this.#ends) {
      if (now - begun < REMEMBERED_FOR && this.#ends.size < REMEMBERED_MOST) break
      this.#forgotten = Math.max(this.#forgotten, Number.isFinite(at) ? at : thisMoment())
      this.#ends.delete(id)
    }
  }
}

const known = new WeakMap<SessionStore, Endings>()

/** The ends of a store, whoever asks it for them: its `destroy` is watched from now on. */
export function endingsOf(store: SessionStore): Endings {
  const found = known.get(store)
  if (found !== undefined) return found
  const endings = new Endings()
  known.set(store, endings)
  watchDestroy(store, endings)
  return endings
}

function watchDestroy(store: SessionStore, endings: Endings): void {
  const own = Object.hasOwn(store, 'destroy') ? store.destroy : undefined
  const watched = function (this: SessionStore, ...[id, callback]: Parameters<SessionStore['destroy']>): unknown {
    const destroy = own ?? (Object.getPrototypeOf(store) as SessionStore).destroy
    const arrived = endings.begin(id)
    try {
      if (callback === undefined) return whenDone(destroy.call(this, id), arrived)
      return destroy.call(this, id, function (this: unknown, ...values: [error?: unknown]) {
        arrived(Boolean(values[0]))
        return callback.apply(this, values)
      })
    } catch (error) {
      arrived(true)
      throw error
    }
  }
  Object.defineProperty(store, 'destroy', { value: watched, writable: true, configurable: true })
}

/** Without a callback an end counts when its promise is kept, or else at once. */
function whenDone(answer: unknown, arrived: (failed: boolean) => void): unknown {
  if (answer instanceof Promise)
    answer.then(
      () => arrived(false),
      () => arrived(true),
    )
  else arrived(false)
  return answer
}
