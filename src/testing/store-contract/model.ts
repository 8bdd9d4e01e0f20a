import type { ContractHarness, TestRunner } from './harness.ts'
export function modelRules(_harness: ContractHarness, _runner: TestRunner): void {}
