/**
 * What the store did while a request was served, for the page to show. An application needs none of this:
 * counts are in `sessions.stats()`, and what was saved is told on the channel `holdfast:commit`.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'

import type { Request, RequestHandler } from 'express'
import { isEnded, type CommitOutcome, type Sessions, type Store } from 'holdfast'

import type { Ledger } from '../transfer.ts'

/** One call to the store. */
export interface Trip {
  readonly what: string
  readonly answer: string
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

const accounts = new WeakMap<object, Work>()

/** Keeps account of each request. To be mounted before `holdfast(sessions)`. */
export function keepingAccount(sessions: Sessions<Ledger>): RequestHandler {
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
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown => {
        const call = (): unknown => Reflect.apply(member, target, args)
        // A look at its counters is no trip.
        return name === 'stats' ? call() : timed(String(name), call)
      }
    },
  })
}

function timed(what: string, call: () => unknown): unknown {
  const begun = performance.now()
  const answer = call()
  const work = current.getStore()
  if (work === undefined) return answer
  const note = (value: unknown): unknown => {
    work.trips.push({ what, answer: wordFor(what, value), milliseconds: performance.now() - begun })
    return value
  }
  return answer instanceof Promise ? answer.then(note) : note(answer)
}

function wordFor(what: string, answer: unknown): string {
  if (what === 'load') return wordForRecord(answer)
  if (what === 'touch' && answer !== 'touched') return String(answer)
  if (typeof answer === 'object' && answer !== null && 'done' in answer)
    return answer.done === true ? 'done' : 'conflict'
  return 'done'
}

function wordForRecord(record: unknown): string {
  if (!(record instanceof Uint8Array)) return 'nothing there'
  return isEnded(record) ? 'ended' : 'found'
}
