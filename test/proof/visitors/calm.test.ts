/** Visitors at one server over memory, with nothing broken: they do all that they do, and the checker finds nothing. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { beforeAll, describe, expect, it } from 'vitest'

import { closeConnections } from '../../../proof/browser.ts'
import { check } from '../../../proof/checker/check.ts'
import { grouped } from '../../../proof/checker/grouped.ts'
import type { AskedBy, Effect, History, Kind, OperationOf, Promises } from '../../../proof/history/history.ts'
import { Recorder } from '../../../proof/history/recorder.ts'
import { serveHoldfast } from '../../../proof/site/holdfast.ts'
import { visit } from '../../../proof/visitors/visitors.ts'
import { freePort } from '../../support/redis-server.ts'

/** So many that everything that visitors do is among them; a slow machine takes longer for them. */
const REQUESTS = 3_000
const SECONDS = 20
/** Short enough that renewals happen, and are over, within the run. */
const PROMISES: Promises = { grace: 200, answer: 5_000, staleness: 100 }
const KINDS: Readonly<Record<Kind, true>> = {
  read: true,
  add: true,
  count: true,
  mark: true,
  'sign-in': true,
  renew: true,
  'sign-out': true,
  form: true,
  submit: true,
  begin: true,
  finish: true,
  replay: true,
}

let history: History

beforeAll(async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-visitors-'))
  try {
    history = await visited(path.join(folder, 'ledger'))
  } finally {
    closeConnections()
    rmSync(folder, { recursive: true, force: true })
  }
})

describe(`in ${REQUESTS} requests`, () => {
  it('visitors do everything that they do, and it works', () => {
    const done = new Set(history.operations.filter(({ outcome }) => outcome === 'acknowledged').map(({ kind }) => kind))
    expect([...done].toSorted()).toEqual(Object.keys(KINDS).toSorted())
  })

  it('they also do what must not work, and it does not', () => {
    const submitted = of('submit')
    const sorts = new Map<AskedBy['submit']['form'], Set<number>>()
    for (const { asked, status } of submitted)
      sorts.set(asked.form, (sorts.get(asked.form) ?? new Set<number>()).add(status))
    expect(Object.fromEntries(sorts)).toMatchObject({
      'without a token': new Set([403]),
      'from another site': new Set([403]),
      'another visitor’s token': new Set([403]),
    })
    expect(new Set(of('replay').map(({ asked }) => asked.because))).toEqual(new Set(['renewed', 'signed in', 'ended']))
    const afterEnd = of('replay').filter(({ asked }) => asked.because === 'ended')
    expect(new Set(afterEnd.map(({ seen }) => seen?.user))).toEqual(new Set([null]))
  })

  it('a browser waits for its answers, or sends several of a kind without waiting, on purpose', () => {
    for (const kind of ['add', 'count', 'finish'] as const) {
      const pairs = consecutive(of(kind))
      const together = pairs.filter(([one, next]) => next.began < one.ended)
      expect(together.length).toBeGreaterThan(0)
      expect(together.length).toBeLessThan(pairs.length)
    }
    // Of these each waits for the one before.
    for (const [one, next] of consecutive(of('mark'))) expect(next.began).toBeGreaterThanOrEqual(one.ended)
  })

  it('some sign out of one session, some everywhere', () => {
    expect(new Set(of('sign-out').map(({ asked }) => asked.everywhere))).toEqual(new Set([true, false]))
  })

  it('what one visit keeps is shown to it under its name, as owner', () => {
    const shown = of('read').filter(({ seen }) => typeof seen?.owner === 'string')
    expect(shown.length).toBeGreaterThan(10)
    for (const { seen, browser } of shown) expect(seen?.owner?.split('-')[0]).toBe(browser)
  })

  it('the checker finds nothing', () => {
    expect(history.operations.length).toBeGreaterThanOrEqual(REQUESTS)
    expect(history.effects.length).toBeGreaterThan(0)
    expect(check(history)).toEqual([])
  })

  it('and would find a change that was taken away', () => {
    const operations = history.operations.map((one) => (one.seen ? { ...one, seen: { ...one.seen, cart: [] } } : one))
    const found = new Set(check({ ...history, operations }).map(({ name }) => name))
    expect(found).toContain('lost-update')
  })
})

function of<K extends Kind>(kind: K): OperationOf<K>[] {
  return history.operations.filter((one) => one.kind === kind) as OperationOf<Kind>[] as OperationOf<K>[]
}

/** Each with the next of the same browser. */
function consecutive<One extends { readonly browser: string }>(operations: readonly One[]): [One, One][] {
  return [...grouped(operations, ({ browser }) => browser).values()].flatMap((own) =>
    own.slice(1).map((next, at): [One, One] => [own[at] as One, next]),
  )
}

async function visited(ledger: string): Promise<History> {
  const port = await freePort()
  const server = await serveHoldfast({
    name: 'A',
    target: 'holdfast',
    port,
    store: 'memory:',
    durability: 'primary',
    configuration: 'usual',
    secrets: ['a secret of the visitors’ tests, for no other use'],
    ledger,
    grace: PROMISES.grace,
    staleness: PROMISES.staleness,
    lease: 2_000,
    version: 1,
  })
  const recorder = new Recorder()
  const enough = new AbortController()
  const counting = setInterval(() => recorder.operations.length >= REQUESTS && enough.abort(), 50)
  try {
    await visit({
      url: `http://127.0.0.1:${port}`,
      seed: 4_711,
      visitors: 16,
      thinks: 10,
      promises: PROMISES,
      recorder,
      incarnation: () => 1,
      everywhere: true,
      signal: AbortSignal.any([enough.signal, AbortSignal.timeout(SECONDS * 1_000)]),
    })
  } finally {
    clearInterval(counting)
    await server.close()
  }
  const effects = readFileSync(ledger, 'utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Effect]))
  return recorder.history(
    {
      scenario: 'calm',
      target: 'holdfast',
      // Memory is none of the stores of the proof; like this one it loses nothing that it acknowledged.
      store: 'lmdb',
      durability: 'primary',
      seed: 4_711,
      seconds: SECONDS,
      servers: ['A'],
      promises: PROMISES,
      versions: {},
    },
    effects,
  )
}
