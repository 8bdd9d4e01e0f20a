/** Lengths of time as applications write them. */
import { OptionsError } from '../errors.ts'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const DAYS_MOST = 400

/** Milliseconds of a duration such as `'30m'`. Throws `OptionsError` for anything else, for zero, and for more than 400 days. */
export function milliseconds(option: string, value: unknown): number {
  const parts = typeof value === 'string' ? /^(\d{1,12})(ms|s|m|h|d)$/.exec(value) : null
  const length = Number(parts?.[1]) * (UNITS[parts?.[2] ?? ''] ?? Number.NaN)
  if (length > 0 && length <= DAYS_MOST * 86_400_000) return length
  throw new OptionsError(
    option,
    `${option} must be a duration such as '30m' (ms, s, m, h or d; more than zero, at most ${DAYS_MOST}d), got ${show(value)}.`,
  )
}

function show(value: unknown): string {
  return typeof value === 'string' ? `'${value.slice(0, 40)}'` : typeof value
}
