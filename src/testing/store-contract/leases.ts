import assert from 'node:assert/strict'
import { LONG, ruleOf } from './harness.ts'
import type { ContractHarness, TestRunner } from './harness.ts'

/** Leases: what makes selectors unique by construction (I1). */
export function leaseRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  runner.describe('leases', () => {
    rule('I1: leases are whole numbers that count up, on whichever server they are taken', async ({ servers }) => {
      const stores = await servers(3)
      let last = 0
      for (let round = 0; round < 12; round++) {
        const lease = await stores[round % 3]!.nextLease()
        assert.ok(Number.isSafeInteger(lease) && lease > last, `${lease} after ${last}`)
        last = lease
      }
    })

    rule('I1: leases taken at once on several servers are all different', async ({ servers }) => {
      const stores = await servers(4)
      const leases = await Promise.all(Array.from({ length: 80 }, async (_, at) => stores[at % 4]!.nextLease()))
      assert.equal(new Set(leases).size, leases.length)
    })

    rule('I1: a lease is held by the first that asks, and everyone is told so', async ({ servers }) => {
      const [one, other] = await servers(2)
      assert.equal(await one!.holdLease(1, 'first', LONG), 'first')
      assert.equal(await other!.holdLease(1, 'second', LONG), 'first')
      assert.equal(await one!.holdLease(1, 'first', LONG), 'first')
    })

    rule('I1: a lease that several ask for at once has one holder', async ({ servers }) => {
      const stores = await servers(4)
      const asked = Array.from({ length: 20 }, async (_, at) => stores[at % 4]!.holdLease(7, `owner ${at}`, LONG))
      const holders = new Set(await Promise.all(asked))
      assert.equal(holders.size, 1)
    })

    rule('leases are held apart from each other', async ({ store }) => {
      assert.equal(await store.holdLease(1, 'a', LONG), 'a')
      assert.equal(await store.holdLease(2, 'b', LONG), 'b')
      assert.equal(await store.holdLease(12, 'c', LONG), 'c')
    })

    rule('its holder keeps a lease by asking again; left alone it becomes free', async ({ servers, unit, advance }) => {
      const [one, other] = await servers(2)
      await one!.holdLease(3, 'first', 4 * unit)
      await advance(3)
      assert.equal(await one!.holdLease(3, 'first', 4 * unit), 'first')
      await advance(3)
      assert.equal(await other!.holdLease(3, 'second', 4 * unit), 'first')
      await advance(2)
      assert.equal(await other!.holdLease(3, 'second', 4 * unit), 'second')
      assert.equal(await one!.holdLease(3, 'first', 4 * unit), 'second')
    })

    rule("asking in vain does not lengthen the holder's time", async ({ servers, unit, advance }) => {
      const [one, other] = await servers(2)
      await one!.holdLease(4, 'first', 3 * unit)
      await other!.holdLease(4, 'second', LONG)
      await advance(4)
      assert.equal(await other!.holdLease(4, 'second', LONG), 'second')
    })

    rule('an owner has whatever name it likes', async ({ store }) => {
      const owner = 'host-é:4711/用 \u0000'
      assert.equal(await store.holdLease(5, owner, LONG), owner)
      assert.equal(await store.holdLease(5, 'x', LONG), owner)
    })
  })
}
