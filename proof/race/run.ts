/** Runs races against a target, on as few sites as their options allow. */
import { openSite, type Site, type Target } from '../site.ts'
import type { Race, Size, Tally } from './race.ts'

/** What a race came to; a race that could not be finished says why. */
export type Outcome = Tally | { readonly failed: string }

/** Runs the races one after the other. `report` hears of each as it ends. */
export async function runRaces(
  target: Target,
  races: readonly Race[],
  size: Size,
  report: (race: Race, outcome: Outcome) => void = () => undefined,
): Promise<Map<Race, Outcome>> {
  const outcomes = new Map<Race, Outcome>()
  for (const alike of grouped(races)) {
    const site = await openSite(target, (alike[0] as Race).options)
    try {
      for (const race of alike) {
        const outcome = await finish(race, site, size)
        outcomes.set(race, outcome)
        report(race, outcome)
      }
    } finally {
      await site.close()
    }
  }
  return outcomes
}

async function finish(race: Race, site: Site, size: Size): Promise<Outcome> {
  try {
    return await race.run(site, size)
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) }
  }
}

function grouped(races: readonly Race[]): Race[][] {
  const groups = new Map<string, Race[]>()
  for (const race of races) {
    const key = JSON.stringify(race.options)
    groups.set(key, [...(groups.get(key) ?? []), race])
  }
  return [...groups.values()]
}
