/**
 * Which sessions were ended in this process, so that no request that had loaded one of them before saves it again. A plain
 * store knows no such thing: its `set` puts back what is gone. What other processes end, only a Holdfast store can tell.
 */
import type { SessionStore } from './store-contract.ts'

/** A point in the order of what happens in this process. */
export type Moment = number

interface End {
  /** When the store had it; `Infinity` until then. */
  at: Moment
  readonly forgetAt: number
}

/** The slowest request is over by then, in milliseconds. */
const REMEMBERED_FOR = 15 * 60_000
const REMEMBERED_MOST = 10_000

let moments: Moment = 0

/** Later than every moment before. */
export function thisMoment(): Moment {
  return ++moments
}

export class Endings {
  readonly #ends = new Map<string, End>()

  /** An end is on its way to the store. Call the answer when it has arrived, or failed. */
  begin(id: string): (failed: boolean) => void {
    const end: End = { at: Number.POSITIVE_INFINITY, forgetAt: performance.now() + REMEMBERED_FOR }
    this.#forget()
    this.#ends.delete(id)
    this.#ends.set(id, end)
    return (failed) => {
      if (failed && this.#ends.get(id) === end) this.#ends.delete(id)
      else end.at = thisMoment()
    }
  }

  /** Whether the session was ended after this moment, or is being ended. */
  since(id: string, moment: Moment): boolean {
    const end = this.#ends.get(id)
    return end !== undefined && end.at > moment
  }

  /** The oldest go first. */
  #forget(): void {
    const now = performance.now()
    for (const [id, { forgetAt }] of this.#ends) {
      if (forgetAt > now && this.#ends.size < REMEMBERED_MOST) break
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
  const watched = function (this: SessionStore, id: string, callback?: (error?: unknown) => void): unknown {
    const inherited = (Object.getPrototypeOf(store) as SessionStore).destroy
    const arrived = endings.begin(id)
    if (callback === undefined) {
      // Without an answer to wait for, the end counts from now on.
      arrived(false)
      return (own ?? inherited).call(this, id)
    }
    return (own ?? inherited).call(this, id, function (this: unknown, ...values: [error?: unknown]) {
      arrived(Boolean(values[0]))
      return callback.apply(this, values)
    })
  }
  Object.defineProperty(store, 'destroy', { value: watched, writable: true, configurable: true })
}
