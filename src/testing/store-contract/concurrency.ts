import assert from 'node:assert/strict'
import { endedMarker, isEnded, versionOf } from '../../core/record.ts'
import type { Selector, Store } from '../../core/store.ts'
import { assertStored } from './expect.ts'
import { LONG, counterOf, newSelector, record, ruleOf, version } from './harness.ts'
import type { ContractHarness, Rule, TestRunner } from './harness.ts'
import { visitsOf } from './users.ts'

const MARKER = endedMarker('signed-out')

/** Several servers at once. */
export function concurrencyRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  runner.describe('several servers at once', () => {
    swapRaces(rule)
    endRaces(rule)
    userRaces(rule)
  })
}

function swapRaces(rule: Rule): void {
  rule('I1: of parallel creates under one selector exactly one goes through', async ({ servers }) => {
    const stores = await servers(4)
    for (let round = 0; round < 10; round++) {
      const selector = newSelector()
      const swaps = await Promise.all(
        Array.from({ length: 12 }, async (_, at) => stores[at % 4]!.create(selector, record(1, { stamp: at }), LONG)),
      )
      const winners = swaps.flatMap((swap, at) => (swap.done ? [at] : []))
      assert.equal(winners.length, 1)
      await assertStored(stores, selector, record(1, { stamp: winners[0]! }))
    }
  })

  rule('I2: of parallel replaces of one version exactly one goes through', async ({ servers }) => {
    const stores = await servers(4)
    const selector = newSelector()
    await stores[0]!.create(selector, record(1), LONG)
    let current = version(1)
    for (let round = 2; round < 12; round++) {
      const swaps = await Promise.all(
        Array.from({ length: 12 }, async (_, at) =>
          stores[at % 4]!.replace(selector, current, record(round, { stamp: at }), LONG),
        ),
      )
      const winners = swaps.flatMap((swap, at) => (swap.done ? [at] : []))
      assert.equal(winners.length, 1)
      current = version(round, winners[0])
      await assertStored(stores, selector, record(round, { stamp: winners[0]! }))
    }
  })

  rule('I2: a hundred parallel increments, each repeated on conflict, count a hundred', async ({ servers }) => {
    const stores = await servers(4)
    const selector = newSelector()
    await stores[0]!.create(selector, record(0), LONG)
    await Promise.all(Array.from({ length: 100 }, (_, at) => increment(stores[at % 4]!, selector, at)))
    assert.equal(counterOf((await stores[0]!.load(selector))!), 100)
  })
}

async function increment(store: Store, selector: Selector, stamp: number): Promise<void> {
  for (;;) {
    const found = await store.load(selector)
    assert.ok(found !== undefined)
    const swap = await store.replace(selector, versionOf(found), record(counterOf(found) + 1, { stamp }), LONG)
    if (swap.done) return
  }
}

function endRaces(rule: Rule): void {
  rule('I3: whatever runs beside an end, the visit is over once it is acknowledged', async ({ servers }) => {
    const stores = await servers(4)
    for (let round = 0; round < 10; round++) {
      const selector = newSelector()
      await stores[0]!.create(selector, record(1), LONG)
      const others = Array.from({ length: 9 }, async (_, at) => disturb(stores[at % 4]!, selector, at))
      const ending = (async () => stores[round % 4]!.end(selector, MARKER, LONG))()
      assert.equal((await ending).done, true)
      await assertStored(stores, selector, MARKER)
      await Promise.all(others)
      await assertStored(stores, selector, MARKER)
    }
  })

  rule('I3: of a replace and an end with the same version one goes through', async ({ servers }) => {
    const [one, other] = await servers(2)
    for (let round = 0; round < 20; round++) {
      const selector = newSelector()
      await one!.create(selector, record(1), LONG)
      const replacing = async () => one!.replace(selector, version(1), record(2), LONG)
      const ending = async () => other!.end(selector, MARKER, LONG, { version: version(1) })
      const pair = round % 2 === 0 ? [replacing(), ending()] : [ending(), replacing()]
      const swaps = await Promise.all(pair)
      assert.equal(swaps.filter((swap) => swap.done).length, 1)
    }
  })
}

async function disturb(store: Store, selector: Selector, at: number): Promise<unknown> {
  if (at % 3 === 0) return store.replace(selector, version(1), record(2, { stamp: at }), LONG)
  if (at % 3 === 1) return store.touch(selector, LONG)
  const swap = await store.create(selector, record(1, { stamp: at }), LONG)
  assert.equal(swap.done, false)
  return swap.done || (swap.found && isEnded(swap.found))
}

function userRaces(rule: Rule): void {
  rule('I12: parallel enrolments are all there, and parallel withdrawals all gone', async ({ servers }) => {
    const stores = await servers(4)
    const visits = Array.from({ length: 40 }, newSelector)
    await Promise.all(visits.map(async (selector, at) => stores[at % 4]!.enroll('ada', selector, LONG)))
    assert.deepEqual(visitsOf(await stores[1]!.roll('ada')), visits.toSorted())
    const [gone, kept] = [visits.slice(0, 20), visits.slice(20)]
    await Promise.all(gone.map(async (selector, at) => stores[at % 4]!.withdraw('ada', selector)))
    assert.deepEqual(visitsOf(await stores[2]!.roll('ada')), kept.toSorted())
  })

  rule('I12: a bar lists every parallel enrolment that was not told of it', async ({ servers }) => {
    const stores = await servers(4)
    for (let round = 0; round < 10; round++) {
      const user = `ada ${round}`
      const visits = Array.from({ length: 12 }, newSelector)
      const enrolling = visits.map(async (selector, at) => stores[at % 4]!.enroll(user, selector, LONG))
      const barring = (async () => stores[round % 4]!.bar(user, LONG))()
      const late = visits.map(async (selector, at) => stores[(at + 1) % 4]!.enroll(user, selector, LONG))
      const listed = new Set(visitsOf(await barring))
      const answers = await Promise.all(enrolling)
      await Promise.all(late)
      for (const [at, answer] of answers.entries()) {
        assert.ok(listed.has(visits[at]!) || answer.notBefore > 0, `enrolment ${at} is neither listed nor warned`)
      }
    }
  })
}
