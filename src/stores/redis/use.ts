/** How the store uses Redis, whoever connects: which keys it has, and what a call may take. */
import { milliseconds } from '../../core/duration.ts'
import { OptionsError } from '../../errors.ts'
import type { Duration } from '../../types.ts'

export interface UseOptions {
  /** Separates applications that share a database: enters every key. Letters, digits, - and _, at most 32. Default: none. */
  readonly name?: string | undefined
  /** What every key begins with; ends with a colon. Default: `hf:`. */
  readonly prefix?: string | undefined
  /** How long a call may take, waiting for a connection included; a number counts milliseconds. Default: `1s`. */
  readonly deadline?: Duration | number | undefined
  /** How many calls may be under way or waiting at once; what exceeds it fails at once. Default: 10 000. */
  readonly maxPending?: number | undefined
}

/** The options, complete. */
export interface UseSettings {
  /** With the name. */
  readonly prefix: string
  /** Milliseconds. */
  readonly deadline: number
  readonly maxPending: number
}

export const KNOWN_OF_USE = { name: 0, prefix: 0, deadline: 0, maxPending: 0 } as const

/** Checks the options and completes them. Throws `OptionsError`. */
export function resolveUse({ name, prefix, deadline, maxPending }: UseOptions): UseSettings {
  return {
    prefix: resolvePrefix(prefix, name),
    deadline: checkDeadline(deadline ?? '1s'),
    maxPending: checkMaxPending(maxPending ?? 10_000),
  }
}

/** What every key of an application begins with. Throws `OptionsError`. */
export function resolvePrefix(prefix: string | undefined, name: string | undefined): string {
  return checkPrefix(prefix ?? 'hf:') + checkName(name ?? '')
}

function checkPrefix(prefix: unknown): string {
  if (typeof prefix === 'string' && /^[\w.:{}-]{1,64}$/.test(prefix) && prefix.endsWith(':')) return prefix
  throw new OptionsError(
    'prefix',
    "prefix may have letters, digits and _ - . : { }, at most 64 of them, and ends with a colon, such as 'hf:'.",
  )
}

function checkName(name: unknown): string {
  if (name === '') return ''
  if (typeof name === 'string' && /^[\w-]{1,32}$/.test(name)) return `${name}:`
  throw new OptionsError('name', 'name may have letters, digits, - and _, at most 32 of them.')
}

function checkDeadline(value: unknown): number {
  return milliseconds('deadline', typeof value === 'number' ? `${value}ms` : value)
}

function checkMaxPending(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw new OptionsError('maxPending', 'maxPending must be a whole number, 1 or more.')
}
