import assert from 'node:assert/strict'
import { endedMarker } from '../../core/record.ts'
import type { Awaitable, Store } from '../../core/store.ts'
import { assertStored } from './expect.ts'
import { LONG, failureOf, newSelector, record, ruleOf, version } from './harness.ts'
import type { ContractHarness, TestRunner } from './harness.ts'

/** Opening, closing, and what a store says of itself. */
export function lifecycleRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  runner.describe('lifecycle', () => {
    rule('a store has a short name and counts its commands', async ({ store }) => {
      assert.match(store.kind, /^[a-z][a-z0-9-]*$/)
      const before = store.stats().commands
      await store.load(newSelector())
      await store.create(newSelector(), record(1), LONG)
      assert.ok(store.stats().commands >= before + 2)
      assert.equal(store.stats().commands, store.stats().commands)
    })

    rule('opening again is safe', async ({ store }) => {
      const selector = newSelector()
      await store.create(selector, record(1), LONG)
      await store.open()
      await assertStored(store, selector, record(1))
    })

    rule('closing again is safe, at once and later', async ({ store }) => {
      await Promise.all([store.close(), store.close()])
      await store.close()
    })

    rule('what one server stored stays when it closes', async ({ servers }) => {
      const [one, other] = await servers(2)
      if (one === other) return
      const selector = newSelector()
      await one!.create(selector, record(1), LONG)
      await one!.close()
      await assertStored(other!, selector, record(1))
    })

    rule('I6: after close every method fails with a StoreUnavailableError, and none answers', async ({ store }) => {
      await store.create(newSelector(), record(1), LONG)
      await store.close()
      for (const [name, call] of Object.entries(everyMethod(store))) {
        const failure = await failureOf(call)
        assert.equal(codeOf(failure), 'ERR_STORE_UNAVAILABLE', `${name}: ${String(failure)}`)
      }
    })
  })
}

function codeOf(failure: unknown): unknown {
  return failure instanceof Error && 'code' in failure ? failure.code : undefined
}

function everyMethod(store: Store): Record<string, () => Awaitable<unknown>> {
  const selector = newSelector()
  return {
    load: () => store.load(selector),
    remaining: () => store.remaining(selector),
    create: () => store.create(selector, record(1), LONG),
    replace: () => store.replace(selector, version(1), record(2), LONG),
    patch: () => store.patch(selector, { at: 9, bytes: record(1).subarray(9, 10) }, { at: 1, bytes: version(2) }, LONG),
    touch: () => store.touch(selector, LONG),
    end: () => store.end(selector, endedMarker('revoked'), LONG),
    enroll: () => store.enroll('ada', selector, LONG),
    withdraw: () => store.withdraw('ada', selector),
    roll: () => store.roll('ada'),
    bar: () => store.bar('ada', LONG),
    nextLease: () => store.nextLease(),
    holdLease: () => store.holdLease(1, 'owner', LONG),
    epoch: () => store.epoch(),
    moveEpoch: () => store.moveEpoch(),
  }
}
