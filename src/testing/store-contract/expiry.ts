import assert from 'node:assert/strict'
import { endedMarker } from '../../core/record.ts'
import { assertAbout, assertDone, assertFound, assertStored } from './expect.ts'
import { LONG, newSelector, record, ruleOf, version } from './harness.ts'
import type { ContractHarness, Rule, TestRunner } from './harness.ts'

/** Every key expires (I12), and what has expired is absent. */
export function expiryRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  runner.describe('expiry', () => {
    recordExpiryRules(rule)
    remainingRules(rule)
    touchRules(rule)
    markerExpiryRules(rule)
  })
}

function recordExpiryRules(rule: Rule): void {
  rule(
    'I12: a record is there until its time is over and absent after, on every server',
    async ({ servers, unit, advance }) => {
      const stores = await servers(2)
      const selector = newSelector()
      await stores[0]!.create(selector, record(1), 5 * unit)
      await advance(3)
      await assertStored(stores, selector, record(1))
      await advance(3)
      await assertStored(stores, selector, undefined)
    },
  )

  rule('what has expired is absent to every method, and may be created anew', async ({ store, unit, advance }) => {
    const selector = newSelector()
    await store.create(selector, record(1), unit)
    await advance(2)
    assertFound(await store.replace(selector, version(1), record(2), LONG), undefined)
    assert.equal(await store.touch(selector, LONG), 'absent')
    await assertStored(store, selector, undefined)
    assertDone(await store.create(selector, record(3), LONG))
    await assertStored(store, selector, record(3))
  })

  rule('a replaced record has the time it was replaced with, longer or shorter', async ({ store, unit, advance }) => {
    const [longer, shorter] = [newSelector(), newSelector()]
    await store.create(longer, record(1), 2 * unit)
    await store.create(shorter, record(1), LONG)
    await store.replace(longer, version(1), record(2), LONG)
    await store.replace(shorter, version(1), record(2), 2 * unit)
    await advance(3)
    await assertStored(store, longer, record(2))
    await assertStored(store, shorter, undefined)
  })

  rule('a refused create or replace does not move the expiry', async ({ store, unit, advance }) => {
    const selector = newSelector()
    await store.create(selector, record(1), 2 * unit)
    await store.create(selector, record(9), LONG)
    await store.replace(selector, version(9), record(9), LONG)
    await advance(3)
    await assertStored(store, selector, undefined)
  })

  rule(
    'what is created after an expiry has its own time, not a rest of the one before',
    async ({ store, unit, advance }) => {
      const selector = newSelector()
      await store.create(selector, record(1), unit)
      await advance(2)
      await store.create(selector, record(2), 6 * unit)
      await advance(4)
      await assertStored(store, selector, record(2))
      await advance(3)
      await assertStored(store, selector, undefined)
    },
  )

  rule('a record may last for a year', async ({ store, advance }) => {
    const selector = newSelector()
    assertDone(await store.create(selector, record(1), 366 * 24 * 3_600_000))
    await advance(1)
    await assertStored(store, selector, record(1))
  })
}

function remainingRules(rule: Rule): void {
  rule(
    'what remains of a record or a marker is told by every server, and of nothing is nothing',
    async ({ servers, unit, advance }) => {
      const [one, other] = await servers(2)
      const [live, over] = [newSelector(), newSelector()]
      await one!.create(live, record(1), 9 * unit)
      await one!.end(over, endedMarker('revoked'), 5 * unit)
      await advance(3)
      assertAbout((await other!.remaining(live))!, 6 * unit, unit)
      assertAbout((await other!.remaining(over))!, 2 * unit, unit)
      await other!.touch(live, 7 * unit)
      assertAbout((await one!.remaining(live))!, 7 * unit, unit)
      assert.equal(await one!.remaining(newSelector()), undefined)
      await advance(8)
      assert.equal(await one!.remaining(live), undefined)
    },
  )
}

function touchRules(rule: Rule): void {
  rule('a touch moves the expiry of a record, and changes nothing else', async ({ servers, unit, advance }) => {
    const stores = await servers(2)
    const selector = newSelector()
    await stores[0]!.create(selector, record(1), 4 * unit)
    await advance(3)
    assert.equal(await stores[1]!.touch(selector, 4 * unit), 'touched')
    await advance(3)
    await assertStored(stores, selector, record(1))
    await advance(2)
    await assertStored(stores, selector, undefined)
  })

  rule(
    'a touch never brings the expiry nearer: not that of the record it knew, nor that of a newer one',
    async ({ servers, unit, advance }) => {
      const stores = await servers(2)
      const selector = newSelector()
      await stores[0]!.create(selector, record(1), 4 * unit)
      assert.equal(await stores[1]!.touch(selector, unit), 'touched')
      await advance(2)
      await assertStored(stores, selector, record(1))
      await stores[0]!.replace(selector, version(1), record(2), 9 * unit)
      assert.equal(await stores[1]!.touch(selector, unit), 'touched')
      await advance(3)
      await assertStored(stores, selector, record(2))
    },
  )

  rule('a touch does not undo a replace that brought the expiry nearer', async ({ store, unit, advance }) => {
    const selector = newSelector()
    await store.create(selector, record(1), LONG)
    await store.replace(selector, version(1), record(2), 3 * unit)
    assert.equal(await store.touch(selector, unit), 'touched')
    await advance(4)
    await assertStored(store, selector, undefined)
  })

  rule('I2: a touch does not change the version: a replace that overlaps with it goes through', async ({ store }) => {
    const selector = newSelector()
    await store.create(selector, record(1), LONG)
    await store.touch(selector, LONG)
    assertDone(await store.replace(selector, version(1), record(2), LONG))
    assert.equal(await store.touch(selector, LONG), 'touched')
    await assertStored(store, selector, record(2))
  })

  rule('I3: a touch makes nothing out of nothing', async ({ store }) => {
    const selector = newSelector()
    assert.equal(await store.touch(selector, LONG), 'absent')
    await assertStored(store, selector, undefined)
    assertDone(await store.create(selector, record(1), LONG))
  })

  rule('I3: a touch neither revives an ended visit nor lengthens its marker', async ({ store, unit, advance }) => {
    const selector = newSelector()
    const marker = endedMarker('signed-out')
    await store.create(selector, record(1), LONG)
    await store.end(selector, marker, 4 * unit)
    await advance(3)
    assert.equal(await store.touch(selector, LONG), 'ended')
    await assertStored(store, selector, marker)
    await advance(2)
    await assertStored(store, selector, undefined)
  })
}

function markerExpiryRules(rule: Rule): void {
  rule(
    'I12: a marker lasts for its own time, not for that of the record before it',
    async ({ store, unit, advance }) => {
      const [wasShort, wasLong] = [newSelector(), newSelector()]
      await store.create(wasShort, record(1), 2 * unit)
      await store.create(wasLong, record(1), LONG)
      await store.end(wasShort, endedMarker('revoked'), 5 * unit)
      await store.end(wasLong, endedMarker('revoked'), 5 * unit)
      await advance(3)
      await assertStored(store, wasShort, endedMarker('revoked'))
      await assertStored(store, wasLong, endedMarker('revoked'))
      await advance(3)
      await assertStored(store, wasShort, undefined)
      await assertStored(store, wasLong, undefined)
    },
  )

  rule('a second end leaves the marker and its expiry as they were', async ({ store, unit, advance }) => {
    const selector = newSelector()
    await store.end(selector, endedMarker('revoked'), 3 * unit)
    assertDone(await store.end(selector, endedMarker('signed-out'), LONG))
    await assertStored(store, selector, endedMarker('revoked'))
    await advance(4)
    await assertStored(store, selector, undefined)
  })

  rule('a refused create or replace does not lengthen a marker', async ({ store, unit, advance }) => {
    const selector = newSelector()
    await store.end(selector, endedMarker('revoked'), 3 * unit)
    await store.create(selector, record(1), LONG)
    await store.replace(selector, version(1), record(2), LONG)
    await advance(4)
    await assertStored(store, selector, undefined)
  })
}
