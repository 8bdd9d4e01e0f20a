import assert from 'node:assert/strict'
import { assertAbout } from './expect.ts'
import { LONG, newSelector, ruleOf } from './harness.ts'
import type { ContractHarness, TestRunner } from './harness.ts'

/** The store's clock and the epoch of the whole deployment, which `revokeAll` moves. */
export function epochRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  runner.describe('epoch', () => {
    rule('nothing is revoked in a new store', async ({ store }) => {
      const { epoch, now } = await store.epoch()
      assert.equal(epoch, 0)
      assert.ok(now > 0)
    })

    rule(
      "the store's clock goes on, and is one for all servers and all methods",
      async ({ servers, unit, advance }) => {
        const [one, other] = await servers(2)
        const before = await one!.epoch()
        await advance(3)
        assertAbout((await other!.epoch()).now - before.now, 3 * unit, unit)
        assertAbout((await one!.roll('ada')).now - before.now, 3 * unit, unit)
        assertAbout((await other!.enroll('ada', newSelector(), LONG)).now - before.now, 3 * unit, unit)
      },
    )

    rule(
      'I12: moving the epoch reaches what was begun before it, and nothing of later, on every server',
      async ({ servers, advance }) => {
        const stores = await servers(3)
        const before = await stores[0]!.epoch()
        const { epoch: moved } = await stores[1]!.moveEpoch()
        assert.ok(before.now <= moved, `${before.now} is after the epoch ${moved}`)
        await advance(1)
        for (const store of stores) {
          const { epoch, now } = await store.epoch()
          assert.equal(epoch, moved)
          assert.ok(now > epoch, `${now} is not after the epoch ${epoch}`)
        }
      },
    )

    rule('the epoch moves on, and does not expire', async ({ store, advance }) => {
      const { epoch: first } = await store.moveEpoch()
      await advance(1)
      const { epoch: second } = await store.moveEpoch()
      assert.ok(second > first)
      await advance(10)
      assert.equal((await store.epoch()).epoch, second)
    })
  })
}
