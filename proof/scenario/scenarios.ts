/** What visitors go through: scenarios, each with its faults. */
import type { StoreName } from '../history/history.ts'
import { ALL_STORES, type Fault } from '../faults/fault.ts'
import { FILE_FAULTS } from '../faults/files.ts'
import { SERVER_FAULTS } from '../faults/servers.ts'
import { STORE_FAULTS } from '../faults/stores.ts'
import type { Chance } from '../visitors/random.ts'

export interface Planned {
  /** Seconds since the visitors came. */
  readonly at: number
  readonly fault: Fault
  /** Seconds that pass at least since the one before it in its lane was over, however long that took. */
  readonly after?: number
}

export interface Scenario {
  readonly name: string
  /** For `--help`. */
  readonly about: string
  readonly stores: readonly StoreName[]
  /** Run only where it is asked for by name: others go through the same. */
  readonly byName?: boolean
  /** What is done when, in a run of so many seconds: several lanes, in each of which one fault follows the other. */
  plan(store: StoreName, seconds: number, random: Chance): readonly (readonly Planned[])[]
}

/** Seconds: before the first fault, and at the end without a new one. */
const FIRST = 2
const LAST = 4
/** Seconds between the end of one fault and the next, where they come one after the other. */
const RESPITE = 4

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'calm',
    about: 'nothing is broken: every error and every delay is a violation',
    stores: ALL_STORES,
    plan: () => [],
  },
  {
    name: 'kill',
    about: 'a server is killed with -9 every 5 seconds, and is back a second later',
    stores: ALL_STORES,
    plan: (_store, seconds) => [every(5, seconds, named('server killed (kill -9)'))],
  },
  {
    name: 'servers',
    about:
      'every fault of the servers in turn: kills, deploys, standstill, clocks, new secrets, new versions of the data',
    stores: ALL_STORES,
    plan: (store, seconds) => [inTurn(serverFaultsOf(store), seconds)],
  },
  {
    name: 'store',
    about: 'every fault of the store in turn: killed, stopped, cut off, slow, full, failed over, emptied, lost',
    stores: ALL_STORES,
    plan: (store, seconds) => [inTurn(faultsOf(store), seconds)],
  },
  {
    name: 'configuration',
    about: 'rolling deploys change the configuration to and fro: timeouts, near cache, SameSite, durability',
    stores: ALL_STORES,
    plan: (_store, seconds) => [inTurn([named('configuration changed by a rolling deploy')], seconds)],
  },
  {
    name: 'chaos',
    about: 'faults of servers and of the store, two at a time (on LMDB one), as the seed has them',
    stores: ALL_STORES,
    plan: (store, seconds, random) => lanesOf(store).map((faults) => atRandom(faults, seconds, random.fork())),
  },
  {
    name: 'every',
    about: 'every fault of the servers and of the store, one after the other in one run',
    stores: ALL_STORES,
    byName: true,
    plan: (store, seconds) => [inTurn([...serverFaultsOf(store), ...faultsOf(store)], seconds)],
  },
]

/** So many seconds a scenario needs on a store to go through all that it has in turn. */
export function secondsFor(scenario: Scenario, store: StoreName): number {
  const [servers, stores] = [serverFaultsOf(store), faultsOf(store)]
  if (scenario.name === 'every') return lengthOf([...servers, ...stores])
  if (scenario.name === 'servers') return lengthOf(servers)
  return scenario.name === 'store' ? lengthOf(stores) : 0
}

export function faultsOf(store: StoreName): readonly Fault[] {
  return [...STORE_FAULTS, ...FILE_FAULTS].filter(({ stores }) => stores.includes(store))
}

function serverFaultsOf(store: StoreName): readonly Fault[] {
  return SERVER_FAULTS.filter(({ stores }) => stores.includes(store))
}

/** Those of LMDB stop and start servers themselves. */
function lanesOf(store: StoreName): (readonly Fault[])[] {
  const [servers, stores] = [serverFaultsOf(store), faultsOf(store)]
  return store === 'lmdb' ? [[...servers, ...stores]] : [servers, stores]
}

/** Seconds that it takes to go through them in turn. */
export function lengthOf(faults: readonly Fault[]): number {
  return FIRST + faults.reduce((sum, { seconds }) => sum + seconds + RESPITE, 0) + LAST
}

function named(name: string): Fault {
  const fault = SERVER_FAULTS.find((one) => one.name === name)
  if (fault === undefined) throw new Error(`there is no fault ${name}`)
  return fault
}

function every(pace: number, seconds: number, fault: Fault): Planned[] {
  const count = Math.max(0, Math.floor((seconds - FIRST - LAST) / pace) + 1)
  return Array.from({ length: count }, (_, at) => ({ at: FIRST + at * pace, fault }))
}

/** One after the other, over again where there is time. */
export function inTurn(faults: readonly Fault[], seconds: number): Planned[] {
  const planned: Planned[] = []
  if (faults.length === 0) return planned
  for (let at = FIRST, next = 0; ; next++) {
    const fault = faults[next % faults.length] as Fault
    if (at + fault.seconds > seconds - LAST) return planned
    planned.push({ at, fault, after: RESPITE })
    at += fault.seconds + RESPITE
  }
}

function atRandom(faults: readonly Fault[], seconds: number, random: Chance): Planned[] {
  const planned: Planned[] = []
  if (faults.length === 0) return planned
  for (let at = FIRST + random.next() * RESPITE; ;) {
    const fault = faults[random.below(faults.length)] as Fault
    if (at + fault.seconds > seconds - LAST) return planned
    planned.push({ at, fault })
    at += fault.seconds + RESPITE * (0.5 + random.next())
  }
}
