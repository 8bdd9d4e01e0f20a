/** A mutant as a scenario: visitors come to servers that have it, while its faults are made. */
import type { Fault } from '../faults/fault.ts'
import { FILE_FAULTS } from '../faults/files.ts'
import { SERVER_FAULTS } from '../faults/servers.ts'
import { STORE_FAULTS } from '../faults/stores.ts'
import { inTurn, lengthOf, type Scenario } from '../scenario/scenarios.ts'
import type { Circumstances, Mutant } from './mutant.ts'

const ALL: readonly Fault[] = [...SERVER_FAULTS, ...STORE_FAULTS, ...FILE_FAULTS]
/** At least. */
const SECONDS = 12

export function scenarioOf({ name, about }: Mutant, shows: Circumstances): Scenario {
  const faults = faultsOf(shows)
  return { name, about, stores: [shows.store], plan: (_store, seconds) => [inTurn(faults, seconds)] }
}

/** So many it needs. */
export function secondsOf(shows: Circumstances): number {
  return Math.max(SECONDS, lengthOf(faultsOf(shows)))
}

/** Throws for a name that no fault of this store has. */
function faultsOf({ faults, store }: Circumstances): readonly Fault[] {
  return faults.map((name) => {
    const found = ALL.find((one) => one.name === name && one.stores.includes(store))
    if (found === undefined) throw new Error(`${store} has no fault '${name}'`)
    return found
  })
}
