export { storeContract } from './store-contract.ts'
export type { ContractFixture, ContractHarness, TestRunner } from './store-contract.ts'
export { faultyStore } from './faulty-store.ts'
export type { Fault, Faults, FaultyStore, StoreOperation } from './faulty-store.ts'
