/** What was found of the mutants. */
import { unexcused } from '../checker/check.ts'
import type { RuleName } from '../checker/violations.ts'
import type { Finished } from '../scenario/run.ts'
import { tableOf } from '../table.ts'
import type { Mutant } from './mutant.ts'

export function mutantsTable(found: readonly (readonly [Mutant, Finished])[]): string {
  return tableOf([
    ['without a protection: the server …', 'invariant', 'store, faults', 'requests', 'is to be found', 'was found'],
    ...found.map(([mutant, finished]) => rowOf(mutant, finished)),
  ])
}

function rowOf({ about, invariant, caughtAs, shows }: Mutant, { history, violations }: Finished): string[] {
  const { run, operations } = history
  const where = [run.store, ...(run.durability === 'replicated' ? [run.durability] : []), ...new Set(shows?.faults)]
  const counts = new Map<RuleName, number>()
  for (const { name } of unexcused(violations)) counts.set(name, (counts.get(name) ?? 0) + 1)
  const meant = caughtAs.filter((name) => counts.has(name))
  const words = meant.map((name) => `${counts.get(name)} ${name}`).join(', ')
  return [about, invariant, where.join(', '), String(operations.length), caughtAs.join(', '), words || 'NOTHING OF IT']
}
