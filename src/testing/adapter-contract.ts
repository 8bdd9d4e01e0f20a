/**
 * The suite that every adapter passes: what leaves when, what it costs, and what happens when something fails.
 * Like `storeContract`, it runs under any runner that has `describe` and `it`. It uses real sockets.
 */
import { failingRules } from './adapter-contract/failing.ts'
import { forgeryRules } from './adapter-contract/forgery.ts'
import { type AdapterHarness, ruleOf } from './adapter-contract/harness.ts'
import { headerRules } from './adapter-contract/headers.ts'
import { savingRules } from './adapter-contract/saving.ts'
import { tripRules } from './adapter-contract/trips.ts'
import type { TestRunner } from './store-contract/harness.ts'

export type {
  AdapterHarness,
  ContractData,
  ContractRoute,
  ContractServer,
  Exchange,
} from './adapter-contract/harness.ts'

/**
 * Declares the contract's tests for one adapter.
 *
 * @param name names the adapter in the tests' titles
 * @param harness serves routes through the adapter
 * @param runner the `describe` and `it` of the test runner
 */
export function adapterContract(name: string, harness: AdapterHarness, runner: TestRunner): void {
  runner.describe(`${name} keeps the adapter contract`, () => {
    const rule = ruleOf(harness, runner)
    for (const declare of [savingRules, headerRules, tripRules, failingRules, forgeryRules]) declare(rule)
  })
}
