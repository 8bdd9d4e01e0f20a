/** What is done to a deployment while visitors come, and undone again. */
import type { SiteProcess } from '../deployment/site-process.ts'
import type { Deployed } from '../deployment/deployment.ts'
import type { FaultSort, StoreName } from '../history/history.ts'
import type { Chance } from '../visitors/random.ts'

export interface Fault {
  /** For `--fault` and for people: `server killed (kill -9)`. */
  readonly name: string
  readonly sort: FaultSort
  readonly stores: readonly StoreName[]
  /** How long it lasts before it is undone. */
  readonly seconds: number
  /**
   * Makes it, and answers what undoes it and settles when all is whole again. `mark` begins another one in the midst of it,
   * and answers what ends that one.
   */
  begin(deployed: Deployed, random: Chance, mark: Marking): Promise<() => Promise<void> | void>
}

export type Marking = (name: string, sort: FaultSort) => () => void

export const ALL_STORES: readonly StoreName[] = ['lmdb', 'redis', 'sentinel', 'cluster']

/** One of the servers, as the seed has it. */
export function oneOf({ servers }: Deployed, random: Chance): SiteProcess {
  const server = servers[random.below(servers.length)]
  if (server === undefined) throw new Error('there is no server')
  return server
}
