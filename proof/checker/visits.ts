/** The history by visit: what is looked at again and again. */
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
  /** Those at whose end another one of the same browser was under way. */
  readonly #overlapped = new Set<number>()

  constructor({ operations }: History) {
    const byVisit = grouped(
      operations.filter(({ kind }) => kind !== 'replay'),
      ({ visit }) => visit,
    )
    for (const [name, own] of byVisit) this.#byName.set(name, this.#visit(name, own))
    this.all = [...this.#byName.values()]
    for (const operation of operations) if (operation.kind === 'sign-out') this.#noteEnd(operation)
    const byBrowser = grouped(
      operations.filter(({ kind }) => kind !== 'replay'),
      ({ browser }) => browser,
    )
    for (const own of byBrowser.values()) this.#noteOverlaps(own)
  }

  named(name: string): Visit | undefined {
    return this.#byName.get(name)
  }

  /** Whether the browser waited: nothing else of it was under way when the answer came, so all it sends later knows of that. */
  isSettled(operation: Operation): boolean {
    return !this.#overlapped.has(operation.id)
  }

  /** Whether the answer shows this visit's session. */
  isShown({ user, name }: Visit, operation: Operation): boolean {
    const { seen } = operation
    return seen?.owner === name && seen.user === (user ?? null)
  }

  /** The acknowledged end after which nobody may be served as this visit, if there is one. */
  ends(visit: Visit): readonly OperationOf<'sign-out'>[] {
    const own = (this.#ends.get(visit.name) ?? []).filter(({ outcome }) => outcome === 'acknowledged')
    return visit.user === undefined ? own : own.concat(this.#revocationsOf(visit))
  }

  /** Whether the visit's session may have been over at some moment before the end of this operation. */
  mayBeOver({ name, user, signIn }: Visit, { id, ended }: Operation): boolean {
    if ((this.#ends.get(name) ?? []).some((end) => end.began < ended && end.id !== id)) return true
    const since = signIn?.began ?? 0
    const reaches = (end: Operation): boolean => end.outcome !== 'acknowledged' || end.ended > since
    return (this.#everywhere.get(user ?? '') ?? []).some((end) => end.began < ended && end.id !== id && reaches(end))
  }

  #revocationsOf({ user = '', signIn }: Visit): OperationOf<'sign-out'>[] {
    const from = signIn?.outcome === 'acknowledged' ? signIn.ended : Number.POSITIVE_INFINITY
    return (this.#everywhere.get(user) ?? []).filter(
      (end) => end.outcome === 'acknowledged' && end.began > from && this.#isBySomebody(end),
    )
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

function listIn<Item>(map: Map<string, Item[]>, key: string): Item[] {
  const list = map.get(key) ?? []
  map.set(key, list)
  return list
}
