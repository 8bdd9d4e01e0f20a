/** The server on one core, the load on another, so that neither is measured through the other. */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

const pins = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0

export const SERVER_CORE = 0
export const LOAD_CORE = 1

/** The command, pinned to the core where that is possible. */
export function pinned(
  core: number,
  command: readonly string[],
): { readonly file: string; readonly rest: readonly string[] } {
  const [file = '', ...rest] = pins ? ['taskset', '-c', String(core), ...command] : command
  return { file, rest }
}

/** What was done, for the report. */
export const PINNING: string = pins
  ? `server on core ${SERVER_CORE}, load on core ${LOAD_CORE}`
  : 'server and load not pinned: taskset or a second core is missing'
