/** What stores forgot, and how much of it Holdfast noticed, as a table for a terminal. */
import { type Forgotten, forgottenOf } from '../checker/forgotten.ts'
import { RULES, type RuleName, type Violation } from '../checker/violations.ts'
import { tableOf } from '../table.ts'
import { percent } from './numbers.ts'

/** A row for each rule of which something was forgotten, and one for all. `undefined`: nothing was. */
export function forgottenTable(violations: readonly Violation[]): string | undefined {
  const of = (rule: RuleName): Forgotten => forgottenOf(violations.filter(({ name }) => name === rule))
  const rows = (Object.keys(RULES) as RuleName[]).flatMap((rule) => (of(rule).times > 0 ? [rowOf(rule, of(rule))] : []))
  if (rows.length === 0) return undefined
  const head = ['what a store forgot', 'times', 'noticed by Holdfast', 'about this very session']
  return tableOf([head, ...rows, rowOf('in all', forgottenOf(violations))])
}

function rowOf(name: string, { times, noticed, ofSession }: Forgotten): string[] {
  const share = (part: number): string => `${part} (${percent(part, times)})`
  return [name, String(times), share(noticed), share(ofSession)]
}
