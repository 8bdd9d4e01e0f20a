/** Load on a server: Debian's wrk, or autocannon where there is no wrk. */
import { execFile, spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'

import { installPeers, PROJECT } from '../proof/peers.ts'
import { LOAD_CORE, pinned } from './cores.ts'

export interface Load {
  readonly url: string
  readonly seconds: number
  readonly connections: number
  readonly headers: Readonly<Record<string, string>>
}

const run = promisify(execFile)
const hasWrk = spawnSync('wrk', ['-v']).error === undefined

/** What makes the load, for the report. */
export const LOADER: string = hasWrk ? 'wrk' : 'autocannon'

/** Requests per second that were answered with success. Throws when any was not. */
export async function requestsPerSecond(load: Load): Promise<number> {
  return hasWrk ? byWrk(load) : byAutocannon(load)
}

async function byWrk({ url, seconds, connections, headers }: Load): Promise<number> {
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const { file, rest } = pinned(LOAD_CORE, ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, ...given, url])
  const { stdout } = await run(file, rest)
  const failure = /Non-2xx.*|Socket errors.*/.exec(stdout)
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)
  if (failure !== null || rate === null) throw new Error(`wrk on ${url}: ${failure?.[0] ?? stdout}`)
  return Number(rate[1])
}

interface AutocannonResult {
  readonly requests: { readonly average: number }
  readonly non2xx: number
  readonly errors: number
}

async function byAutocannon({ url, seconds, connections, headers }: Load): Promise<number> {
  installPeers('bench')
  const program = createRequire(path.join(PROJECT, 'bench/package.json')).resolve('autocannon')
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}=${value}`])
  const command = [process.execPath, program, '-j', '-c', String(connections), '-d', String(seconds), ...given, url]
  const { file, rest } = pinned(LOAD_CORE, command)
  const { stdout } = await run(file, rest, { maxBuffer: 1 << 24 })
  const result = JSON.parse(stdout) as AutocannonResult
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`autocannon on ${url}: ${result.non2xx} not 2xx, ${result.errors} errors`)
  return result.requests.average
}
