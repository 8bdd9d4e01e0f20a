/**
 * What the simulation drives: the core, without adapters and without HTTP. Its parts have no public names, and this is the
 * only place at which a program of the proof reaches into the sources.
 */
export { createKeyring } from '../../src/core/keyring.ts'
export { resolveOptions } from '../../src/core/options.ts'
export type { RequestFacts } from '../../src/core/request.ts'
export { beginVisit, Manager, servicesOf } from '../../src/core/sessions.ts'
export type { Selector, Store, StoreWatcher } from '../../src/core/store.ts'
export type { Visit } from '../../src/core/visit.ts'
export { type CycleKind, defineCycle } from '../../src/cycle/define-cycle.ts'
export { HoldfastError, UnconfirmedError } from '../../src/errors.ts'
export { memoryStore } from '../../src/stores/memory.ts'
export type { Session } from '../../src/types.ts'
