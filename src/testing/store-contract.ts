/**
 * The suite that every store passes, ours and others'. It runs under any runner that has `describe` and
 * `it` (vitest, node:test, mocha) and needs nothing else:
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * import { storeContract } from 'holdfast/testing'
 *
 * storeContract('my store', { start: () => myFixture() }, { describe, it })
 * ```
 */
import { concurrencyRules } from './store-contract/concurrency.ts'
import { endRules } from './store-contract/ends.ts'
import { epochRules } from './store-contract/epoch.ts'
import { expiryRules } from './store-contract/expiry.ts'
import type { ContractHarness, TestRunner } from './store-contract/harness.ts'
import { leaseRules } from './store-contract/leases.ts'
import { lifecycleRules } from './store-contract/lifecycle.ts'
import { modelRules } from './store-contract/model.ts'
import { patchRules } from './store-contract/patches.ts'
import { recordRules } from './store-contract/records.ts'
import { trackingRules } from './store-contract/tracking.ts'
import { userRules } from './store-contract/users.ts'

export type { ContractFixture, ContractHarness, TestRunner } from './store-contract/harness.ts'

/**
 * Declares the contract's tests for one store.
 *
 * A method that fails may reject or throw at once; what it answers may be a promise or not.
 *
 * @param name names the store in the tests' titles
 * @param harness sets up an empty store for each test, and moves its clock
 * @param runner the `describe` and `it` of the test runner
 */
export function storeContract(name: string, harness: ContractHarness, runner: TestRunner): void {
  const parts = [
    recordRules,
    patchRules,
    expiryRules,
    endRules,
    userRules,
    leaseRules,
    epochRules,
    lifecycleRules,
    concurrencyRules,
    trackingRules,
    modelRules,
  ]
  runner.describe(`${name} keeps the store contract`, () => {
    for (const declare of parts) declare(harness, runner)
  })
}
