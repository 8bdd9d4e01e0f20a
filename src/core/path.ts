/** How errors and reports name a place in a session's data: `cart[2].price`, `prices.get("x")`, `tags.values()[0]`. */

/** One step down: a member's name, an array's index, or a place in a Map or Set. */
export type Step = string | number | { readonly keys: number } | { readonly values: number } | { readonly get: string }

const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u
const LONGEST_NAME = 64

/** The place as text; `''` is the data itself. Names over 64 characters are shortened. */
export function formatPath(steps: readonly Step[]): string {
  return steps.map((step, at) => formatStep(step, at === 0)).join('')
}

function formatStep(step: Step, first: boolean): string {
  if (typeof step === 'number') return `[${step}]`
  if (typeof step === 'string') {
    if (step.length > LONGEST_NAME || !NAME.test(step)) return `[${quoted(step)}]`
    return first ? step : `.${step}`
  }
  if ('get' in step) return `.get(${quoted(step.get)})`
  return 'keys' in step ? `.keys()[${step.keys}]` : `.values()[${step.values}]`
}

function quoted(name: string): string {
  return JSON.stringify(name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name)
}
