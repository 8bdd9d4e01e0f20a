/** The history by visit: what is looked at again and again. */
import type { Excuses } from './excuses.ts'
import { grouped } from './grouped.ts'
import type { History, Operation, OperationOf } from '../history/history.ts'

export interface Visit {
  readonly name: string
  readonly browser: string
  /** Undefined: a guest's. */
  readonly user: string | undefined
  /** By which it began; a guest's began by itself. */
  readonly signIn: OperationOf<'sign-in'> | undefined
  /** The guest's visit that it goes on: what was put into that one's cart is in this one's. */
  readonly goesOn: Visit | undefined
  /** In the order in which they began, without those that came with old cookies. */
  readonly operations: readonly Operation[]
}

export class Visits {
  readonly all: readonly Visit[]
  readonly #byName = new Map<string, Visit>()
  /** Ends of all sessions of a user, by user. */
  readonly #everywhere = new Map<string, OperationOf<'sign-out'>[]>()
  readonly #ends = new Map<string, OperationOf<'sign-out'>[]>()
  /** Ends whose own visit was not over before. */
  readonly #bySomebody: ReadonlySet<number>
  /** Those at whose end another one of the same browser was under way. */
  readonly #overlapped = new Set<number>()
  readonly #staleness: number
  /** Of each browser, in the order in which they began, without those that came with old cookies. */
  readonly #byBrowser: ReadonlyMap<string, readonly Operation[]>
  readonly #replays: ReadonlyMap<string, readonly Operation[]>
  readonly #excuses: Excuses

  constructor({ operations, run }: History, excuses: Excuses) {
    this.#staleness = run.promises.staleness
    this.#excuses = excuses
    const byVisit = grouped(
      operations.filter(({ kind }) => kind !== 'replay'),
      ({ visit }) => visit,
    )
    for (const [name, own] of byVisit) this.#byName.set(name, this.#visit(name, own))
    this.all = [...this.#byName.values()]
    const ends = operations.filter((operation) => operation.kind === 'sign-out')
    for (const end of ends) this.#noteEnd(end)
    this.#bySomebody = new Set(ends.filter((end) => this.#isBySomebody(end)).map(({ id }) => id))
    this.#byBrowser = grouped(
      operations.filter(({ kind }) => kind !== 'replay'),
      ({ browser }) => browser,
    )
    this.#replays = grouped(
      operations.filter(({ kind }) => kind === 'replay'),
      ({ browser }) => browser,
    )
    for (const own of this.#byBrowser.values()) this.#noteOverlaps(own)
  }

  named(name: string): Visit | undefined {
    return this.#byName.get(name)
  }

  /**
   * The moment after which all that the browser sends knows of this answer: when it came, where nothing else of the browser
   * was under way then; else that may have overtaken it, and the bound of what is old decides.
   */
  knownFrom({ id, ended }: Operation): number {
    return this.#overlapped.has(id) ? ended + this.#staleness : ended
  }

  /** Whether the answer shows this visit's session: not one that shows what its request would have stored, and had no session for. */
  isShown({ user, name }: Visit, operation: Operation): boolean {
    const { seen } = operation
    return seen?.owner === name && seen.user === (user ?? null) && seen.handle !== null
  }

  /** The latest answer before this operation that shows the visit's session: by then no store had forgotten it. */
  lastShown(visit: Visit, { began }: Operation): Operation | undefined {
    return visit.operations.findLast((operation) => operation.ended < began && this.isShown(visit, operation))
  }

  /** The acknowledged ends, begun before `until`, after which nobody may be served as this visit. */
  ends(visit: Visit, until: number): readonly OperationOf<'sign-out'>[] {
    const own = (this.#ends.get(visit.name) ?? []).filter(({ outcome }) => outcome === 'acknowledged')
    return visit.user === undefined ? own : own.concat(this.#revocationsOf(visit, until))
  }

  /** Whether the visit's session may have been over at some moment before the end of this operation. */
  mayBeOver({ name, user, signIn }: Visit, { id, ended }: Operation): boolean {
    const mayCount = (end: Operation): boolean => end.outcome !== 'refused' && end.began < ended && end.id !== id
    if ((this.#ends.get(name) ?? []).some(mayCount)) return true
    const since = signIn?.began ?? 0
    const reaches = (end: Operation): boolean =>
      (end.outcome === 'acknowledged' ? end.ended : this.#excuses.settledAfter(end)) > since
    return (this.#everywhere.get(user ?? '') ?? []).some((end) => mayCount(end) && reaches(end))
  }

  /** The last time before this operation that its browser came with cookies of before. */
  lastReplay({ browser, began }: Operation): Operation | undefined {
    return (this.#replays.get(browser) ?? []).findLast((one) => one.began < began)
  }

  /** The last answer before this operation that named a session to its browser. */
  lastNamed({ browser, began }: Operation): Operation | undefined {
    const own = this.#byBrowser.get(browser) ?? []
    return own.findLast((one) => one.ended < began && typeof one.seen?.handle === 'string')
  }

  /** Whether its browser may have brought an id in whose place a sign-in, or nothing at all, had come. */
  mayBeSuperseded({ browser, id, began, ended }: Operation): boolean {
    const turns = (this.#byBrowser.get(browser) ?? []).filter(
      (one) => (one.kind === 'sign-in' || one.kind === 'sign-out') && one.id !== id && one.began < ended,
    )
    return turns.some(
      (one, at) =>
        this.knownFrom(one) >= began ||
        (one.outcome === 'unknown' &&
          !turns.slice(at + 1).some((next) => next.outcome === 'acknowledged' && next.ended < began)),
    )
  }

  #revocationsOf({ user = '', signIn }: Visit, until: number): OperationOf<'sign-out'>[] {
    const all = this.#everywhere.get(user) ?? []
    const from = signIn?.outcome === 'acknowledged' ? signIn.ended : Number.POSITIVE_INFINITY
    const found = []
    // A user has signed out everywhere often in a long history: only the few within the visit are looked at.
    for (let at = firstAfter(all, from), end = all[at]; end !== undefined && end.began < until; end = all[++at])
      if (end.outcome === 'acknowledged' && this.#bySomebody.has(end.id)) found.push(end)
    return found
  }

  /** Who is signed out already ends nobody's sessions. */
  #isBySomebody(end: OperationOf<'sign-out'>): boolean {
    const visit = this.#byName.get(end.visit)
    return visit !== undefined && !this.mayBeOver(visit, end)
  }

  #visit(name: string, operations: readonly Operation[]): Visit {
    const signIn = operations.find((operation) => operation.kind === 'sign-in')
    const from = signIn?.outcome === 'acknowledged' ? signIn.asked.from : undefined
    return {
      name,
      browser: operations[0]?.browser ?? '',
      user: signIn?.asked.user,
      signIn,
      goesOn: from === undefined ? undefined : this.#byName.get(from),
      operations,
    }
  }

  #noteEnd(end: OperationOf<'sign-out'>): void {
    listIn(this.#ends, end.visit).push(end)
    if (end.asked.everywhere) listIn(this.#everywhere, end.asked.user).push(end)
  }

  /** `own` are in the order in which they began. */
  #noteOverlaps(own: readonly Operation[]): void {
    let latest = -1
    for (const [at, operation] of own.entries()) {
      if (latest > operation.ended) this.#overlapped.add(operation.id)
      latest = Math.max(latest, operation.ended)
      for (let next = at + 1; (own[next]?.began ?? Number.POSITIVE_INFINITY) < operation.ended; next++)
        if ((own[next]?.ended ?? 0) > operation.ended) this.#overlapped.add(operation.id)
    }
  }
}

/** The place of the first that began after that; all are in the order in which they began. */
function firstAfter(operations: readonly Operation[], moment: number): number {
  let [from, to] = [0, operations.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if ((operations[middle]?.began ?? 0) > moment) to = middle
    else from = middle + 1
  }
  return from
}

function listIn<Item>(map: Map<string, Item[]>, key: string): Item[] {
  const list = map.get(key) ?? []
  map.set(key, list)
  return list
}
