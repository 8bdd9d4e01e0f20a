/**
 * What the store did while a request was served, for the page to show. An application needs none of this:
 * counts are in `sessions.stats()`, and what was saved is told on the channel `holdfast:commit`.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'

import type { Request, RequestHandler } from 'express'
import { isEnded, type CommitOutcome, type Sessions, type Store } from 'holdfast'

import type { TransferKind, Visit } from '../transfer.ts'

/** One call to the store. */
export interface Trip {
  readonly about: 'session' | 'cycle'
  readonly what: string
  readonly answer: string
  /** Whether a replica was to confirm it, where there are any: so a cycle's claim and outcome are told from its steps. */
  readonly replicated: boolean
  readonly milliseconds: number
}

/** What is known of one request's dealings with the store. */
export interface Work {
  readonly trips: Trip[]
  /** What its commits did, the last one last. */
  readonly outcomes: CommitOutcome[]
  readonly conflictsBefore: number
}

const current = new AsyncLocalStorage<Work>()
const withCycles = new AsyncLocalStorage<true>()

const accounts = new WeakMap<object, Work>()

/** Keeps account of each request. To be mounted before `holdfast(sessions)`. */
export function keepingAccount(sessions: Sessions<Visit>): RequestHandler {
  return (request, _response, next) => {
    const work: Work = { trips: [], outcomes: [], conflictsBefore: sessions.stats().conflicts }
    accounts.set(request, work)
    current.run(work, next)
  }
}

export function workOf(request: Request): Work {
  return accounts.get(request) ?? { trips: [], outcomes: [], conflictsBefore: 0 }
}

subscribe('holdfast:commit', (message) => {
  current.getStore()?.outcomes.push((message as { outcome: CommitOutcome }).outcome)
})

/** The same store, watched. */
export function watched(store: Store): Store {
  // A look at its counters is no trip.
  return wrapped(store, (name, call, args) => (name === 'stats' ? call() : timed(name, args, call)))
}

/** The same cycles, watched: what the store does meanwhile, it does for them. */
export function watchedCycles(kind: TransferKind): TransferKind {
  return wrapped(kind, (_name, call) => withCycles.run(true, call))
}

/** The same object, with something around each of its methods. */
function wrapped<Whole extends object>(
  whole: Whole,
  around: (name: string, call: () => unknown, args: readonly unknown[]) => unknown,
): Whole {
  return new Proxy(whole, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown => around(String(name), () => Reflect.apply(member, target, args), args)
    },
  })
}

function timed(what: string, args: readonly unknown[], call: () => unknown): unknown {
  const begun = performance.now()
  const about = withCycles.getStore() ? 'cycle' : 'session'
  const answer = call()
  const work = current.getStore()
  if (work === undefined) return answer
  const note = (value: unknown): unknown => {
    const milliseconds = performance.now() - begun
    work.trips.push({
      about,
      what,
      answer: wordFor(what, value),
      replicated: args.includes('replicated'),
      milliseconds,
    })
    return value
  }
  return answer instanceof Promise ? answer.then(note) : note(answer)
}

function wordFor(what: string, answer: unknown): string {
  if (what === 'load') return wordForRecord(answer)
  if (what === 'touch' && answer !== 'touched') return String(answer)
  if (typeof answer === 'object' && answer !== null && 'done' in answer)
    return answer.done === true ? 'done' : what === 'patch' ? 'taken already' : 'conflict'
  return 'done'
}

function wordForRecord(record: unknown): string {
  if (!(record instanceof Uint8Array)) return 'nothing there'
  return isEnded(record) ? 'ended' : 'found'
}
