/** The options of a cycle's definition, checked and completed. */
import { milliseconds } from '../core/duration.ts'
import { refuseUnknown } from '../core/options.ts'
import { OptionsError } from '../errors.ts'
import type { Duration } from '../types.ts'
import { STEPS_MOST } from './cycle-record.ts'
import type { StandardSchema } from './schema.ts'

export interface CycleOptions<State> {
  /**
   * The steps in their order. Then a step may be taken again, or the next one, and the end only after the last.
   * Default: none, and steps are changes without names. At most 200.
   */
  readonly steps?: readonly string[] | undefined
  /** From `begin` to the end, whatever happens in between; in whole seconds. Default: the session's absolute timeout. */
  readonly lifetime?: Duration | undefined
  /** Cycles of this kind that one session may have open with a state. Beyond it the oldest without a step goes. Default 20, at most 1 000. */
  readonly maxOpen?: number | undefined
  /** Checks and completes the state at `begin` and after each step; any validator with the Standard Schema interface (`~standard`). */
  readonly schema?: StandardSchema<State> | undefined
  /** How long a server that runs the final step is believed to live without a sign; it gives one three times as often. From 1 s to 1 h. Default `'15s'`. */
  readonly lease?: Duration | undefined
  /** How long a duplicate of the final step waits for the outcome. Default `'10s'`. */
  readonly patience?: Duration | undefined
  /**
   * What to do about a cycle whose final step began on a server that died: `'refuse'` it (the default: at most once), or
   * `'retry'` and run it again (at least once: for a `run` that is idempotent by its key).
   */
  readonly onDoubt?: 'refuse' | 'retry' | undefined
}

/** The options, complete. Times in milliseconds. */
export interface CycleSettings<State> {
  readonly kind: string
  readonly steps: readonly string[] | undefined
  /** `undefined`: the session's absolute timeout. */
  readonly lifetime: number | undefined
  readonly maxOpen: number
  readonly schema: StandardSchema<State> | undefined
  readonly lease: number
  readonly patience: number
  readonly onDoubt: 'refuse' | 'retry'
}

const KNOWN = { steps: 0, lifetime: 0, maxOpen: 0, schema: 0, lease: 0, patience: 0, onDoubt: 0 }
const OPEN_MOST = 1_000
/** A sign of life takes a call to the store; and nobody wants to wait longer for the word that it is in doubt. */
const LEASE_LEAST = 1_000
const LEASE_MOST = 3_600_000

/** Checks the options and completes them. Throws `OptionsError`. */
export function resolveCycleOptions<State>(kind: string, options: CycleOptions<State>): CycleSettings<State> {
  refuseUnknown('', options, KNOWN)
  return Object.freeze({
    kind: checkKind(kind),
    steps: options.steps === undefined ? undefined : checkSteps(options.steps),
    lifetime: options.lifetime === undefined ? undefined : milliseconds('lifetime', options.lifetime),
    maxOpen: checkMaxOpen(options.maxOpen ?? 20),
    schema: checkSchema(options.schema),
    lease: checkLease(milliseconds('lease', options.lease ?? '15s')),
    patience: milliseconds('patience', options.patience ?? '10s'),
    onDoubt: checkOnDoubt(options.onDoubt ?? 'refuse'),
  })
}

function checkKind(kind: unknown): string {
  if (typeof kind === 'string' && /^[\w.-]{1,64}$/.test(kind)) return kind
  throw new OptionsError('name', 'The name of a cycle may have letters, digits and _ - . , at most 64 of them.')
}

function checkSteps(steps: readonly string[]): readonly string[] {
  const good =
    Array.isArray(steps) &&
    steps.length > 0 &&
    steps.length <= STEPS_MOST &&
    steps.every((step) => typeof step === 'string' && step !== '') &&
    new Set(steps).size === steps.length
  if (good) return Object.freeze(steps.slice() as string[])
  throw new OptionsError('steps', `steps must be a list of 1 to ${STEPS_MOST} different names.`)
}

function checkMaxOpen(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= OPEN_MOST) return value
  throw new OptionsError('maxOpen', `maxOpen must be a whole number from 1 to ${OPEN_MOST}.`)
}

function checkLease(lease: number): number {
  if (lease >= LEASE_LEAST && lease <= LEASE_MOST) return lease
  throw new OptionsError('lease', 'lease must be from 1 s to 1 h.')
}

function checkSchema<State>(schema: StandardSchema<State> | undefined): StandardSchema<State> | undefined {
  if (schema === undefined || typeof schema['~standard']?.validate === 'function') return schema
  throw new OptionsError(
    'schema',
    "schema has no '~standard'.validate: give a validator with the Standard Schema interface.",
  )
}

function checkOnDoubt(value: unknown): 'refuse' | 'retry' {
  if (value === 'refuse' || value === 'retry') return value
  throw new OptionsError('onDoubt', "onDoubt must be 'refuse' or 'retry'.")
}
