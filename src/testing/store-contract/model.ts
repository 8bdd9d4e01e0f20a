/**
 * Random commands from several servers, some of them started together, against the reference. What is started
 * together may take effect in any order; there must be one that explains all answers, then and later.
 */
import assert from 'node:assert/strict'
import { isEnded, versionOf } from '../../core/record.ts'
import type { RecordBytes, Selector, Store, Swap } from '../../core/store.ts'
import { SERVERS, UNSEEN, describeStep, issue, send, stepsFor, type Issued, type Step } from './commands.ts'
import { hex } from './expect.ts'
import { withBench, type Bench, type ContractHarness, type TestRunner } from './harness.ts'
import { START, judge, type Scale, type State } from './reference.ts'

/** What went wrong in a run: up to which step, and the answers. */
interface Failure {
  readonly steps: readonly Step[]
  readonly answers: readonly (readonly unknown[])[]
}

/** Runs are spread over so many tests, so that none takes long. */
const TESTS = 5
/** Candidates that are tried to make a failing run shorter. */
const MAX_CANDIDATES = 300
/** Orders that are kept in mind where several explain what was seen. */
const MAX_STATES = 64

export function modelRules(harness: ContractHarness, runner: TestRunner): void {
  const { seed = Math.floor(Math.random() * 2 ** 31), runs = 100, steps = 40 } = harness.model ?? {}
  runner.describe('random commands from several servers', () => {
    for (let test = 0; test < Math.min(TESTS, runs); test++) {
      runner.it(`I1, I2, I3, I12: every answer is the model's, part ${test + 1}`, async () => {
        for (let run = test; run < runs; run += TESTS) await checkRun(harness, seed + run, steps)
      })
    }
  })
}

async function checkRun(harness: ContractHarness, seed: number, count: number): Promise<void> {
  const failure = await runSteps(harness, stepsFor(seed, count))
  if (failure === undefined) return
  const shortest = await shrink(harness, failure)
  const story = shortest.steps.map((step, at) => describeStep(step, shortest.answers[at])).join('\n')
  assert.fail(
    `No order of the commands explains the last answer. To see it again: model: { seed: ${seed}, runs: 1, steps: ${count} }\n${story}`,
  )
}

/** Tries the run without some of its steps, as long as it still fails. */
async function shrink(harness: ContractHarness, first: Failure): Promise<Failure> {
  let failure = first
  let tried = 0
  for (let size = Math.ceil(failure.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < failure.steps.length && tried < MAX_CANDIDATES; tried++) {
      const fewer = failure.steps.toSpliced(from, size)
      const shorter = await runSteps(harness, fewer)
      if (shorter === undefined) from += size
      else failure = shorter
    }
  }
  return failure
}

/** A run on a clock that goes by itself proves nothing when it was slow: then it is made again, with a longer unit. */
async function runSteps(harness: ContractHarness, steps: readonly Step[]): Promise<Failure | undefined> {
  for (let attempt = 1; ; attempt++) {
    let slow = false
    let failure: Failure | undefined
    const unit = harness.unit === undefined ? undefined : harness.unit * 2 ** (attempt - 1)
    await withBench({ ...harness, unit }, async (bench) => {
      const begun = performance.now()
      failure = await follow(bench, steps)
      const waited =
        (failure?.steps ?? steps).reduce((sum, step) => sum + ('wait' in step ? step.wait : 0), 0) * bench.unit
      slow = harness.realTime === true && performance.now() - begun - waited > bench.unit / 3
    })
    if (failure === undefined || !slow) return failure
    assert.ok(attempt < 4, 'the store is too slow for this unit of time: raise `unit`')
  }
}

async function follow(bench: Bench, steps: readonly Step[]): Promise<Failure | undefined> {
  const stores = await bench.servers(SERVERS)
  const scale: Scale = { base: (await bench.store.epoch()).now, unit: bench.unit }
  const seen = new Map<string, Uint8Array>()
  const answers: unknown[][] = []
  let states: State[] = [START]
  for (const [at, step] of steps.entries()) {
    if ('wait' in step) {
      await bench.advance(step.wait)
      states = states.map((state) => ({ ...state, now: state.now + step.wait }))
      answers.push([])
      continue
    }
    const issued = step.burst.map((command) =>
      issue(command, ('key' in command && seen.get(`${command.server} ${command.key}`)) || UNSEEN),
    )
    const replies = await Promise.all(
      issued.map(async (one) => send(stores[one.command.server] as Store, one, bench.unit)),
    )
    answers.push(replies)
    states = explain(states, issued, replies, scale)
    if (states.length === 0) return { steps: steps.slice(0, at + 1), answers }
    for (const [place, one] of issued.entries()) remember(seen, one, replies[place])
  }
  return undefined
}

/** The states after commands that were started together, for every order that explains their answers. */
function explain(
  states: readonly State[],
  issued: readonly Issued[],
  answers: readonly unknown[],
  scale: Scale,
): State[] {
  const found = new Map<string, State>()
  const search = (state: State, left: readonly number[]): void => {
    if (found.size >= MAX_STATES) return
    if (left.length === 0) found.set(JSON.stringify(state, hexed), state)
    for (const at of left) {
      const next = judge(state, issued[at]!, answers[at], scale)
      if (next !== undefined)
        search(
          next,
          left.filter((other) => other !== at),
        )
    }
  }
  for (const state of states) search(state, [...issued.keys()])
  return [...found.values()]
}

function hexed(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? hex(value) : value
}

/** What a server learns from an answer: the version that it would replace next. */
function remember(seen: Map<string, Uint8Array>, { command, bytes }: Issued, answer: unknown): void {
  if (command.name !== 'load' && command.name !== 'create' && command.name !== 'replace') return
  const value = command.name === 'load' ? (answer as RecordBytes | undefined) : learnt(answer as Swap, bytes)
  const place = `${command.server} ${command.key satisfies Selector}`
  if (value === undefined || isEnded(value)) seen.delete(place)
  else seen.set(place, versionOf(value).slice())
}

function learnt(swap: Swap, written: RecordBytes): RecordBytes | undefined {
  return swap.done ? written : swap.found
}
