import assert from 'node:assert/strict'
import { endedMarker } from '../../core/record.ts'
import { assertDone, assertFound, assertStored } from './expect.ts'
import { LONG, newSelector, record, ruleOf, version } from './harness.ts'
import type { ContractHarness, Rule, TestRunner } from './harness.ts'

const MARKER = endedMarker('revoked')

/** Ends: a marker in the place of whatever is there, and nothing comes back (I3). */
export function endRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  runner.describe('ends', () => {
    unconditionalRules(rule)
    versionRules(rule)
    userConditionRules(rule)
  })
}

function unconditionalRules(rule: Rule): void {
  rule('I3: an end puts its marker in the place of a record, for every server', async ({ servers }) => {
    const stores = await servers(3)
    const selector = newSelector()
    await stores[0]!.create(selector, record(1), LONG)
    assertDone(await stores[1]!.end(selector, MARKER, LONG))
    await assertStored(stores, selector, MARKER)
  })

  rule('I3: an end over nothing leaves a marker, so that a record on its way is refused', async ({ servers }) => {
    const stores = await servers(2)
    const selector = newSelector()
    assertDone(await stores[0]!.end(selector, MARKER, LONG))
    assertFound(await stores[1]!.create(selector, record(1), LONG), MARKER)
    await assertStored(stores, selector, MARKER)
  })

  rule('I3: after an end no method on any server brings the visit back', async ({ servers }) => {
    const stores = await servers(3)
    const selector = newSelector()
    await stores[0]!.create(selector, record(1), LONG)
    await stores[0]!.end(selector, MARKER, LONG)
    for (const store of stores) {
      assertFound(await store.create(selector, record(1), LONG), MARKER)
      assertFound(await store.replace(selector, version(1), record(2), LONG), MARKER)
      assert.equal(await store.touch(selector, LONG), 'ended')
    }
    await assertStored(stores, selector, MARKER)
  })

  rule('an end over a marker is done, and the marker that was there stays', async ({ store }) => {
    const selector = newSelector()
    await store.end(selector, endedMarker('signed-out'), LONG)
    assertDone(await store.end(selector, MARKER, LONG))
    assertDone(await store.end(selector, MARKER, LONG, { version: version(1) }))
    assertDone(await store.end(selector, MARKER, LONG, { user: 'ada' }))
    await assertStored(store, selector, endedMarker('signed-out'))
  })

  rule('the reason in a marker is kept', async ({ store }) => {
    for (const reason of ['signed-out', 'revoked', 'expired', 'superseded'] as const) {
      const selector = newSelector()
      await store.end(selector, endedMarker(reason), LONG)
      await assertStored(store, selector, endedMarker(reason))
    }
  })
}

function versionRules(rule: Rule): void {
  rule('an end with a version ends the record in that version', async ({ store }) => {
    const selector = newSelector()
    await store.create(selector, record(3, { stamp: 4, user: 'ada' }), LONG)
    assertDone(await store.end(selector, MARKER, LONG, { version: version(3, 4) }))
    await assertStored(store, selector, MARKER)
  })

  rule('an end with a version leaves a record that has moved on, by counter or by stamp', async ({ store }) => {
    const selector = newSelector()
    await store.create(selector, record(3, { stamp: 4 }), LONG)
    assertFound(await store.end(selector, MARKER, LONG, { version: version(2, 4) }), record(3, { stamp: 4 }))
    assertFound(await store.end(selector, MARKER, LONG, { version: version(3, 5) }), record(3, { stamp: 4 }))
    await assertStored(store, selector, record(3, { stamp: 4 }))
  })

  rule('a refused end does not move the expiry', async ({ store, unit, advance }) => {
    const [kept, gone] = [newSelector(), newSelector()]
    await store.create(kept, record(1), LONG)
    await store.create(gone, record(1), 2 * unit)
    await store.end(kept, MARKER, unit, { version: version(9) })
    await store.end(gone, MARKER, LONG, { user: 'ada' })
    await advance(3)
    await assertStored(store, kept, record(1))
    await assertStored(store, gone, undefined)
  })

  rule('an end with a condition over nothing leaves its marker', async ({ store }) => {
    const [first, second] = [newSelector(), newSelector()]
    assertDone(await store.end(first, MARKER, LONG, { version: version(1) }))
    assertDone(await store.end(second, MARKER, LONG, { user: 'ada' }))
    await assertStored(store, first, MARKER)
    await assertStored(store, second, MARKER)
  })
}

function userConditionRules(rule: Rule): void {
  rule('an end with a user ends a record of that user, whatever its version', async ({ store }) => {
    for (const user of ['ada', 'u:1', 'naïve-用户-🙂', 'x'.repeat(255), `${'é'.repeat(127)}!`]) {
      const selector = newSelector()
      await store.create(selector, record(1, { user }), LONG)
      await store.replace(selector, version(1), record(2, { user }), LONG)
      assertDone(await store.end(selector, MARKER, LONG, { user }))
      await assertStored(store, selector, MARKER)
    }
  })

  rule('an end with a user leaves the record of another user or of a guest', async ({ store }) => {
    const pairs = [
      ['ada', 'bob'],
      ['ada', 'ad'],
      ['ada', 'adam'],
      ['ada', 'Ada'],
      ['', 'ada'],
      ['ada', ''],
      ['é', 'e\u0301'],
    ] as const
    for (const [owner, named] of pairs) {
      const selector = newSelector()
      const value = record(1, { user: owner, body: new TextEncoder().encode('adamant') })
      await store.create(selector, value, LONG)
      assertFound(await store.end(selector, MARKER, LONG, { user: named }), value)
      await assertStored(store, selector, value)
    }
  })

  rule('an end with the empty user ends a guest', async ({ store }) => {
    const selector = newSelector()
    await store.create(selector, record(1), LONG)
    assertDone(await store.end(selector, MARKER, LONG, { user: '' }))
    await assertStored(store, selector, MARKER)
  })

  rule('an end with a user ends the new user after a sign-in, and no longer the old one', async ({ store }) => {
    const selector = newSelector()
    await store.create(selector, record(1, { user: 'ada' }), LONG)
    await store.replace(selector, version(1), record(2, { user: 'bob' }), LONG)
    assertFound(await store.end(selector, MARKER, LONG, { user: 'ada' }), record(2, { user: 'bob' }))
    assertDone(await store.end(selector, MARKER, LONG, { user: 'bob' }))
  })
}
