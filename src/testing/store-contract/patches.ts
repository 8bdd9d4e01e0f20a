import { endedMarker } from '../../core/record.ts'
import type { Span } from '../../core/store.ts'
import { assertBytes, assertStored } from './expect.ts'
import { LONG, newSelector, record, ruleOf, version } from './harness.ts'
import type { ContractHarness, Rule, TestRunner } from './harness.ts'
import assert from 'node:assert/strict'

const BODY = 10
const OPEN: Span = { at: BODY, bytes: Uint8Array.of(0, 0) }
const body = (...bytes: number[]): Uint8Array => record(1, { body: Uint8Array.of(...bytes) })
const claim = (by: number): Span => ({ at: BODY, bytes: Uint8Array.of(by, by) })

/** Patches: some bytes overwritten where others are as expected, and the whole record answered. */
export function patchRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  runner.describe('patches', () => {
    effectRules(rule)
    refusalRules(rule)
  })
}

function effectRules(rule: Rule): void {
  rule(
    'a patch writes its bytes where they stand, whatever the version, and answers the record',
    async ({ servers }) => {
      const [one, other] = await servers(2)
      const selector = newSelector()
      await one!.create(selector, body(0, 0, 13, 10, 255), LONG)
      const patched = await other!.patch(selector, OPEN, claim(7), LONG)
      assert.ok(patched.done && patched.durable)
      assertBytes(patched.record, body(7, 7, 13, 10, 255))
      await assertStored([one!, other!], selector, body(7, 7, 13, 10, 255))
    },
  )

  rule('what is expected and what is written may stand at different places', async ({ store }) => {
    const selector = newSelector()
    await store.create(selector, body(0, 0, 3), LONG)
    assert.ok((await store.patch(selector, OPEN, { at: 1, bytes: version(9, 9) }, LONG)).done)
    assert.equal((await store.replace(selector, version(1), body(1), LONG)).done, false)
    assert.ok((await store.replace(selector, version(9, 9), body(1), LONG)).done)
  })

  rule(
    'I11: of many patches with one expectation one goes through, and the others see what it wrote',
    async ({ servers }) => {
      const stores = await servers(3)
      const selector = newSelector()
      await stores[0]!.create(selector, body(0, 0), LONG)
      const claims = Array.from({ length: 30 }, (_, at) => ({ by: at + 1, store: stores[at % 3]! }))
      const answers = await Promise.all(
        claims.map(async ({ by, store }) => store.patch(selector, OPEN, claim(by), LONG)),
      )
      const won = claims.filter((_, at) => answers[at]!.done)
      assert.equal(won.length, 1)
      const winner = body(won[0]!.by, won[0]!.by)
      for (const answer of answers) assertBytes(answer.done ? answer.record : answer.found, winner)
    },
  )

  rule('a patch sets the expiry', async ({ store, unit, advance }) => {
    const selector = newSelector()
    await store.create(selector, body(0, 0), 3 * unit)
    await store.patch(selector, OPEN, claim(1), 6 * unit)
    await advance(4)
    await assertStored(store, selector, body(1, 1))
    await advance(4)
    await assertStored(store, selector, undefined)
  })
}

function refusalRules(rule: Rule): void {
  rule('a patch leaves alone what is not as expected, and answers it', async ({ store }) => {
    const selector = newSelector()
    await store.create(selector, body(0, 1), LONG)
    const answer = await store.patch(selector, OPEN, claim(1), LONG)
    assert.equal(answer.done, false)
    assertBytes(answer.done ? undefined : answer.found, body(0, 1))
    await assertStored(store, selector, body(0, 1))
  })

  rule('a patch makes nothing of nothing, nor of an expired record', async ({ store, unit, advance }) => {
    const selector = newSelector()
    assert.deepEqual(await store.patch(selector, OPEN, claim(1), LONG), { done: false, found: undefined })
    await store.create(selector, body(0, 0), unit)
    await advance(2)
    assert.deepEqual(await store.patch(selector, OPEN, claim(1), LONG), { done: false, found: undefined })
    await assertStored(store, selector, undefined)
  })

  rule('I3: a patch never touches an ended marker', async ({ store }) => {
    const selector = newSelector()
    const marker = endedMarker('signed-out')
    await store.end(selector, marker, LONG)
    const answer = await store.patch(selector, { at: 0, bytes: marker }, { at: 0, bytes: Uint8Array.of(1, 1) }, LONG)
    assertBytes(answer.done ? undefined : answer.found, marker)
    await assertStored(store, selector, marker)
  })

  rule('a patch that does not fit into the record is refused', async ({ store }) => {
    const selector = newSelector()
    await store.create(selector, body(0, 0), LONG)
    assert.equal((await store.patch(selector, OPEN, { at: BODY + 1, bytes: Uint8Array.of(1, 1) }, LONG)).done, false)
    const beyond = { at: BODY, bytes: Uint8Array.of(0, 0, 0) }
    assert.equal((await store.patch(selector, beyond, claim(1), LONG)).done, false)
    await assertStored(store, selector, body(0, 0))
  })
}
