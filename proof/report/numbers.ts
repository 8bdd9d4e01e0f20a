/** Numbers and times as people read them. */

/** `12 345` */
export function count(value: number): string {
  return value.toLocaleString('en').replaceAll(',', '\u202F')
}

/** `3 violations`, `1 violation` */
export function counted(value: number, what: string): string {
  return `${count(value)} ${what}${value === 1 ? '' : 's'}`
}

/** `0.8 ms`, `120 ms`, `12.5 s` */
export function ms(milliseconds: number): string {
  if (milliseconds >= 10_000) return `${(milliseconds / 1_000).toFixed(1)} s`
  if (milliseconds >= 10) return `${count(Math.round(milliseconds))} ms`
  return milliseconds === 0 ? '0' : `${milliseconds.toFixed(1)} ms`
}

/** A moment of a run: `12.345 s` */
export function moment(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(3)} s`
}

export function percent(part: number, whole: number): string {
  return `${((part / Math.max(1, whole)) * 100).toFixed(1)}\u00A0%`
}
