/** `holdfast/cycle`: a token that follows a visitor through an action of several steps, and an end that happens once. */
export { defineCycle } from './define-cycle.ts'
export type { Change, Cycle, CycleKind, CycleSession, Finished, FinalStep, FirstState, Run } from './define-cycle.ts'
export { CycleError } from './errors.ts'
export type { CycleErrorCode, Issue } from './errors.ts'
export type { CycleOptions } from './options.ts'
export type { StandardSchema } from './schema.ts'
