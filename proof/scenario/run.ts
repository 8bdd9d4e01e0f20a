/** One scenario on one store: deploys, lets visitors come, makes the faults, and has the history checked. */
import { setTimeout as pause } from 'node:timers/promises'

import { check } from '../checker/check.ts'
import type { Violation } from '../checker/violations.ts'
import { closeConnections } from '../browser.ts'
import { deploy } from '../deployment/deployment.ts'
import type { History, Promises, Run, StoreName, Target } from '../history/history.ts'
import { Recorder } from '../history/recorder.ts'
import { chance } from '../visitors/random.ts'
import { visit } from '../visitors/visitors.ts'
import { bringAll } from './lane.ts'
import type { Scenario } from './scenarios.ts'
import { versionsOf } from './versions.ts'

export interface RunOptions {
  readonly scenario: Scenario
  readonly store: StoreName
  readonly target: Target
  readonly durability: 'primary' | 'replicated'
  readonly namespaces?: boolean | undefined
  readonly seed: number
  readonly seconds: number
  readonly visitors: number
  /** Taken out of our own code: its name, and the options of Node that do it. */
  readonly mutant?: { readonly name: string; readonly options: readonly string[] }
  /** Told every second how it goes. */
  readonly progress?: (progress: Progress) => void
}

export interface Progress {
  /** Since the visitors came. */
  readonly seconds: number
  readonly operations: number
  readonly failed: number
  /** What is broken just now. */
  readonly faults: readonly string[]
}

export interface Finished {
  readonly history: History
  readonly violations: readonly Violation[]
}

/**
 * Milliseconds. Short, so that a run of seconds goes through them. A call to the store takes a second at most; a sign-out
 * everywhere makes several of them.
 */
const PROMISES: Promises = { grace: 2_000, answer: 5_000, staleness: 1_000 }
/** Milliseconds between two actions of a visitor, on average. */
const THINKS = 120
/** Before the run's time is over nothing is awaited longer than this after it, in milliseconds. */
const GOING_HOME_MOST = 60_000

export async function run(options: RunOptions): Promise<Finished> {
  const { store, target, durability, namespaces, seed, seconds } = options
  const recorder = new Recorder()
  const deployed = await deploy({
    store,
    target,
    durability,
    namespaces,
    promises: PROMISES,
    listener: (server, channel, detail) => recorder.event(server, channel, detail),
    ...(options.mutant !== undefined && { options: options.mutant.options }),
  })
  try {
    const random = chance(seed)
    const faults = new Set<string>()
    const leaving = new AbortController()
    const visitors = visit({
      url: deployed.url,
      seed: random.below(2 ** 32),
      visitors: options.visitors,
      thinks: THINKS,
      promises: PROMISES,
      recorder,
      incarnation: (name) => deployed.servers.find((server) => server.name === name)?.incarnation ?? 0,
      everywhere: target === 'holdfast',
      signal: leaving.signal,
    })
    const began = performance.now()
    const telling = setInterval(() => options.progress?.(progressOf(recorder, began, faults)), 1_000)
    const plan = options.scenario.plan(store, seconds, random.fork())
    try {
      await Promise.all([
        ...plan.map((lane) => bringAll(lane, { deployed, recorder, faults, seed })),
        pause(seconds * 1_000),
      ])
    } finally {
      leaving.abort()
      await Promise.race([visitors, pause(GOING_HOME_MOST, undefined, { ref: false }).then(stuck)])
      clearInterval(telling)
    }
    const made: Run = {
      scenario: options.scenario.name,
      target,
      ...(options.mutant !== undefined && { mutant: options.mutant.name }),
      store,
      durability,
      ...(namespaces === true && { namespaces }),
      seed,
      seconds,
      servers: deployed.servers.map(({ name }) => name),
      promises: PROMISES,
      versions: await versionsOf(target),
    }
    const history = recorder.history(made, deployed.effects())
    return { history, violations: check(history) }
  } finally {
    closeConnections()
    await deployed.stop()
  }
}

function progressOf({ operations }: Recorder, began: number, faults: ReadonlySet<string>): Progress {
  const failed = operations.filter(({ status }) => status === 0 || status >= 500).length
  return { seconds: (performance.now() - began) / 1_000, operations: operations.length, failed, faults: [...faults] }
}

function stuck(): never {
  throw new Error(`visitors were still waiting for answers ${GOING_HOME_MOST} ms after the end of the run`)
}
