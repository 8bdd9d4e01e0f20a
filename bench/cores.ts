/** The server on one core, the load on another, so that neither is measured through the other. */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

const cores = availableParallelism()
const pins = cores > 1 && spawnSync('taskset', ['--version']).status === 0

export const SERVER_CORE = 0
export const LOAD_CORE = 1
/** A server of the store has a core of its own where there is one; else it shares the load's, never the measured server's. */
export const STORE_CORE: number = cores > 2 ? 2 : LOAD_CORE

/** The command, pinned to the core where that is possible. */
export function pinned(
  core: number,
  command: readonly string[],
): { readonly file: string; readonly rest: readonly string[] } {
  const [file = '', ...rest] = pins ? ['taskset', '-c', String(core), ...command] : command
  return { file, rest }
}

/** Pins a process that runs already, with all its threads, where that is possible. */
export function pin(pid: number | undefined, core: number): void {
  if (pins && pid !== undefined) spawnSync('taskset', ['-acp', String(core), String(pid)])
}

/** What was done, for the report. */
export const PINNING: string = pins
  ? `server on core ${SERVER_CORE}, load on core ${LOAD_CORE}`
  : 'server and load not pinned: taskset or a second core is missing'

export const STORE_PINNING: string = pins
  ? `redis-server on core ${STORE_CORE}${STORE_CORE === LOAD_CORE ? ', which it shares with the load: there is no third' : ''}`
  : 'redis-server not pinned'
