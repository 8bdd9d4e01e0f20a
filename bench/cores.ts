/** The server on cores of its own, the load on another, so that neither is measured through the other. */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

const cores = availableParallelism()
const pins = cores > 1 && spawnSync('taskset', ['--version']).status === 0

/** The last one. */
export const LOAD_CORE: number = cores - 1
/** A server of the store has a core of its own where there is one; else it shares the load's, never the measured server's. */
export const STORE_CORE: number = cores > 2 ? cores - 2 : LOAD_CORE
/** How many are left. */
const SERVER_CORES: number = Math.max(1, STORE_CORE)
/** That of programs that measure themselves. */
export const SERVER_CORE = 0

/** The command, pinned to the cores where that is possible. */
export function pinned(
  to: number | readonly number[],
  command: readonly string[],
): { readonly file: string; readonly rest: readonly string[] } {
  const [file = '', ...rest] = pins ? ['taskset', '-c', [to].flat().join(','), ...command] : command
  return { file, rest }
}

/** The cores of a server: as many as it has processes, where there are so many. */
export function serverCores(processes: number): readonly number[] {
  return Array.from({ length: Math.min(processes, SERVER_CORES) }, (_, core) => core)
}

/** Pins a process that runs already, with all its threads, where that is possible. */
export function pin(pid: number | undefined, core: number): void {
  if (pins && pid !== undefined) spawnSync('taskset', ['-acp', String(core), String(pid)])
}

/** What was done, for the report. */
export const PINNING: string = pins
  ? `server on ${SERVER_CORES === 1 ? 'core 0' : `cores 0 to ${SERVER_CORES - 1}, one for each process`}, load on core ${LOAD_CORE}, redis-server on core ${STORE_CORE}${STORE_CORE === LOAD_CORE ? ', which it shares with the load: there is no third' : ''}`
  : 'nothing pinned: taskset or a second core is missing'

/** What a server of so many processes is measured for on this machine. */
export function meaningOf(processes: number): string | undefined {
  if (processes <= SERVER_CORES) return undefined
  return `${processes} processes share ${SERVER_CORES === 1 ? 'one core' : `${SERVER_CORES} cores`}: this is not how far a server scales, but what it costs that a visitor's requests go to several processes (what each of them keeps is split or doubled, they tell each other of changes, and take turns on the core).`
}
