import assert from 'node:assert/strict'
import type { Roll, Selector } from '../../core/store.ts'
import { assertAbout } from './expect.ts'
import { LONG, newSelector, ruleOf } from './harness.ts'
import type { ContractHarness, Rule, TestRunner } from './harness.ts'

/** The user's index and its `notBefore`: `revokeUser` misses nothing (I12). */
export function userRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  runner.describe('users', () => {
    enrolmentRules(rule)
    lifetimeRules(rule)
    barRules(rule)
    nameRules(rule)
  })
}

/** The visits of a roll, in an order that does not depend on the store. */
export function visitsOf(roll: Roll): Selector[] {
  return roll.entries.map((entry) => entry.selector).toSorted()
}

function enrolmentRules(rule: Rule): void {
  rule('a user of whom nothing is known has an empty roll', async ({ store }) => {
    const roll = await store.roll('nobody')
    assert.deepEqual([roll.entries, roll.notBefore], [[], 0])
    assert.ok(roll.now > 0)
  })

  rule('I12: every server reads the visits that any of them enrolled', async ({ servers }) => {
    const stores = await servers(3)
    const visits = stores.map(newSelector)
    for (const [at, store] of stores.entries()) await store.enroll('ada', visits[at]!, LONG)
    for (const store of stores) assert.deepEqual(visitsOf(await store.roll('ada')), visits.toSorted())
  })

  rule("an enrolment has the age that the store's clock gives it", async ({ store, unit, advance }) => {
    const [first, second] = [newSelector(), newSelector()]
    await store.enroll('ada', first, LONG)
    await advance(4)
    await store.enroll('ada', second, LONG)
    await advance(2)
    const ages = new Map((await store.roll('ada')).entries.map((entry) => [entry.selector, entry.age]))
    assertAbout(ages.get(first)!, 6 * unit, unit)
    assertAbout(ages.get(second)!, 2 * unit, unit)
  })

  rule('enrolling a visit again gives it a new age, and no second entry', async ({ store, unit, advance }) => {
    const selector = newSelector()
    await store.enroll('ada', selector, LONG)
    await advance(5)
    await store.enroll('ada', selector, LONG)
    const { entries } = await store.roll('ada')
    assert.equal(entries.length, 1)
    assertAbout(entries[0]!.age, 0, unit)
  })

  rule('withdrawing takes out that visit only, and is no error for one that is not there', async ({ servers }) => {
    const [one, other] = await servers(2)
    const [kept, gone] = [newSelector(), newSelector()]
    await one!.enroll('ada', kept, LONG)
    await one!.enroll('ada', gone, LONG)
    await other!.withdraw('ada', gone)
    await other!.withdraw('ada', gone)
    await other!.withdraw('nobody', gone)
    assert.deepEqual(visitsOf(await one!.roll('ada')), [kept])
    assert.deepEqual(visitsOf(await one!.roll('nobody')), [])
  })

  rule('withdrawing what was entered up to a moment leaves what was entered later', async ({ servers }) => {
    const [one, other] = await servers(2)
    const selector = newSelector()
    const first = await one!.enroll('ada', selector, LONG)
    await other!.withdraw('ada', selector, first.now - 1)
    assert.deepEqual(visitsOf(await one!.roll('ada')), [selector])
    const again = await other!.enroll('ada', selector, LONG)
    await one!.withdraw('ada', selector, first.now)
    assert.deepEqual(visitsOf(await one!.roll('ada')), [selector])
    await one!.withdraw('ada', selector, again.now)
    await one!.withdraw('ada', selector, again.now)
    await one!.withdraw('nobody', selector, again.now)
    assert.deepEqual(visitsOf(await other!.roll('ada')), [])
  })

  rule('no two enrolments of a user have the same time, and every server tells it alike', async ({ servers }) => {
    const stores = await servers(3)
    const visits = Array.from({ length: 12 }, newSelector)
    const entered = await Promise.all(
      [...visits, ...visits].map(async (selector, at) => {
        const { now } = await stores[at % 3]!.enroll('ada', selector, LONG)
        return { selector, now }
      }),
    )
    assert.equal(new Set(entered.map(({ now }) => now)).size, entered.length)
    const last = new Map(visits.map((selector) => [selector, latestOf(entered, selector)]))
    for (const store of stores) {
      const { entries, now } = await store.roll('ada')
      assert.deepEqual(new Map(entries.map((entry) => [entry.selector, now - entry.age])), last)
    }
  })

  rule('a roll holds three hundred visits', async ({ store }) => {
    const visits = Array.from({ length: 300 }, newSelector)
    for (const selector of visits) await store.enroll('ada', selector, LONG)
    assert.deepEqual(visitsOf(await store.roll('ada')), visits.toSorted())
  })
}

function latestOf(entered: readonly { selector: Selector; now: number }[], selector: Selector): number {
  return Math.max(...entered.filter((one) => one.selector === selector).map(({ now }) => now))
}

function lifetimeRules(rule: Rule): void {
  rule('I12: an enrolment drops the entries that are older than its lifetime', async ({ store, unit, advance }) => {
    const [old, young, fresh] = [newSelector(), newSelector(), newSelector()]
    await store.enroll('ada', old, 5 * unit)
    await advance(4)
    await store.enroll('ada', young, 5 * unit)
    await advance(3)
    await store.enroll('ada', fresh, 5 * unit)
    assert.deepEqual(visitsOf(await store.roll('ada')), [young, fresh].toSorted())
  })

  rule('I12: an entry that was enrolled anew counts from then', async ({ store, unit, advance }) => {
    const [again, other] = [newSelector(), newSelector()]
    await store.enroll('ada', again, 5 * unit)
    await advance(3)
    await store.enroll('ada', again, 5 * unit)
    await advance(4)
    await store.enroll('ada', other, 5 * unit)
    assert.deepEqual(visitsOf(await store.roll('ada')), [again, other].toSorted())
  })

  rule(
    'I12: the whole index is gone a lifetime after the last enrolment, and not before',
    async ({ store, unit, advance }) => {
      await store.enroll('ada', newSelector(), 5 * unit)
      await advance(3)
      await store.enroll('ada', newSelector(), 5 * unit)
      await advance(4)
      assert.equal((await store.roll('ada')).entries.length, 2)
      await advance(2)
      assert.deepEqual((await store.roll('ada')).entries, [])
    },
  )
}

function barRules(rule: Rule): void {
  rule(
    'I12: a bar answers the visits enrolled before it and its own time, and every server sees it',
    async ({ servers }) => {
      const stores = await servers(2)
      const selector = newSelector()
      await stores[0]!.enroll('ada', selector, LONG)
      const barred = await stores[1]!.bar('ada', LONG)
      assert.deepEqual(visitsOf(barred), [selector])
      assert.ok(barred.notBefore > 0)
      for (const store of stores) {
        const roll = await store.roll('ada')
        assert.deepEqual([roll.notBefore, visitsOf(roll)], [barred.notBefore, [selector]])
      }
    },
  )

  rule(
    'I12: what was enrolled before a bar is at or before it, what is enrolled a moment later is after',
    async ({ servers, advance }) => {
      const [one, other] = await servers(2)
      const before = await one!.enroll('ada', newSelector(), LONG)
      const { notBefore } = await other!.bar('ada', LONG)
      await advance(1)
      const after = await one!.enroll('ada', newSelector(), LONG)
      assert.deepEqual([before.notBefore, after.notBefore], [0, notBefore])
      assert.ok(before.now <= notBefore, `${before.now} is after the bar at ${notBefore}`)
      assert.ok(after.now > notBefore, `${after.now} is not after the bar at ${notBefore}`)
    },
  )

  rule('I12: a bar lasts for its lifetime, and then is gone', async ({ store, unit, advance }) => {
    const { notBefore } = await store.bar('ada', 5 * unit)
    await advance(4)
    assert.equal((await store.roll('ada')).notBefore, notBefore)
    await advance(2)
    assert.equal((await store.roll('ada')).notBefore, 0)
  })

  rule('I12: a later enrolment with a shorter lifetime does not shorten a bar', async ({ store, unit, advance }) => {
    const { notBefore } = await store.bar('ada', LONG)
    await store.enroll('ada', newSelector(), unit)
    await advance(3)
    assert.equal((await store.roll('ada')).notBefore, notBefore)
  })

  rule('a second bar is later than the first', async ({ store, advance }) => {
    const first = await store.bar('ada', LONG)
    await advance(1)
    const second = await store.bar('ada', LONG)
    assert.ok(second.notBefore > first.notBefore)
    assert.equal((await store.roll('ada')).notBefore, second.notBefore)
  })

  rule('withdrawing a visit does not lift a bar', async ({ store }) => {
    const selector = newSelector()
    await store.enroll('ada', selector, LONG)
    const { notBefore } = await store.bar('ada', LONG)
    await store.withdraw('ada', selector)
    assert.equal((await store.roll('ada')).notBefore, notBefore)
  })
}

function nameRules(rule: Rule): void {
  rule('users are apart, however alike their names', async ({ store }) => {
    const users = [
      'a',
      'aa',
      'A',
      'a:b',
      'a\u0000b',
      '{a}',
      'a*',
      'é',
      'e\u0301',
      '🙂',
      ' ',
      '用'.repeat(85),
      `${'用'.repeat(84)}abc`,
      'x'.repeat(255),
    ]
    const visits = users.map(newSelector)
    for (const [at, user] of users.entries()) await store.enroll(user, visits[at]!, LONG)
    await store.bar('a', LONG)
    for (const [at, user] of users.entries()) {
      const roll = await store.roll(user)
      assert.deepEqual(visitsOf(roll), [visits[at]])
      assert.equal(roll.notBefore > 0, user === 'a')
    }
  })
}
