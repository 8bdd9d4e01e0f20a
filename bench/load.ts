/** Load on a server: Debian's wrk, or autocannon where there is no wrk. */
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

import { PROJECT } from '../proof/peers.ts'
import type { Headers } from './ask.ts'
import { LOAD_CORE, pinned } from './cores.ts'
import { installBenchPeers } from './peers.ts'

export interface Load {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly seconds: number
  readonly connections: number
  /** What comes with every request. */
  readonly headers: Headers
  /** The `Cookie` header of each visitor. Each request comes from the next of them. */
  readonly cookies: readonly string[]
}

/** What came of it. All requests were answered with success. */
export interface Served {
  readonly requests: number
  /** Per second. */
  readonly rate: number
  /** Milliseconds until the answer. */
  readonly p50: number
  readonly p99: number
}

const run = promisify(execFile)
const hasWrk = spawnSync('wrk', ['-v']).error === undefined

/** What makes the load, for the report. */
export const LOADER: string = hasWrk ? 'wrk' : 'autocannon'

/** Puts the load on. Throws when any request was not answered with success. */
export async function serve(load: Load): Promise<Served> {
  return hasWrk ? byWrk(load) : byAutocannon(load)
}

async function byWrk({ method, url, seconds, connections, headers, cookies }: Load): Promise<Served> {
  // wrk knows the header Host only with a capital letter, and would send two of them.
  const given = Object.entries(headers).flatMap(([name, value]) => [
    '-H',
    `${name === 'host' ? 'Host' : name}: ${value}`,
  ])
  const amount = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency']
  const script = path.join(PROJECT, 'bench/visitors.lua')
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'))
  try {
    const visitors = path.join(folder, 'cookies')
    writeFileSync(visitors, cookies.map((cookie) => `${cookie}\n`).join(''))
    const { file, rest } = pinned(LOAD_CORE, ['wrk', ...amount, '-s', script, ...given, url, '--', method, visitors])
    return readWrk((await run(file, rest)).stdout, url)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readWrk(output: string, url: string): Served {
  const failure = /Non-2xx.*|Socket errors.*/.exec(output)
  if (failure !== null) throw new Error(`wrk on ${url}: ${failure[0]}`)
  const number = (pattern: RegExp): string[] => {
    const found = pattern.exec(output)
    if (found === null) throw new Error(`wrk on ${url}: ${output}`)
    return found.slice(1)
  }
  return {
    requests: Number(number(/(\d+) requests in/)[0]),
    rate: Number(number(/Requests\/sec:\s+([\d.]+)/)[0]),
    p50: inMilliseconds(number(/\b50%\s+([\d.]+)(us|ms|s)\b/)),
    p99: inMilliseconds(number(/\b99%\s+([\d.]+)(us|ms|s)\b/)),
  }
}

function inMilliseconds([amount = '', unit = '']: readonly string[]): number {
  return Number(amount) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1)
}

async function byAutocannon(load: Load): Promise<Served> {
  installBenchPeers()
  const program = path.join(PROJECT, 'build/bench/autocannon.js')
  const { file, rest } = pinned(LOAD_CORE, [process.execPath, program])
  const running = run(file, rest, { maxBuffer: 1 << 24 })
  running.child.stdin?.end(JSON.stringify(load))
  return JSON.parse((await running).stdout) as Served
}
