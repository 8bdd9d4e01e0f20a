/** As much load as a server bears: Debian's wrk, or autocannon where there is no wrk. */
import { type ChildProcess, execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { PROJECT } from '../proof/peers.ts'
import { LOAD_CORE, pinned } from './cores.ts'
import { rawOf, type Request } from './request.ts'

export interface Load {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** Each connection sends the next of them, and begins again after the last. */
  readonly requests: readonly Request[]
  readonly seconds: number
  readonly connections: number
}

/** What came of it. All requests were answered with success. */
export interface Served {
  readonly requests: number
  /** Per second. */
  readonly rate: number
  /** Milliseconds until the answer. */
  readonly p50: number
  readonly p99: number
  /** How much of its core the load itself used, where the system tells: near 1 it is what was measured. */
  readonly busy?: number
}

const wrk = spawnSync('wrk', ['-v'], { encoding: 'utf8' })
const hasWrk = wrk.error === undefined

/** What makes the load, for the report. */
export const LOADER: string = hasWrk ? (/^wrk \S+/.exec(wrk.stdout)?.[0] ?? 'wrk') : 'autocannon'

/** Puts the load on. Throws when any request was not answered with success. */
export async function serve(load: Load): Promise<Served> {
  return hasWrk ? byWrk(load) : byAutocannon(load)
}

async function byWrk({ url, requests, seconds, connections }: Load): Promise<Served> {
  const amount = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency']
  const script = path.join(PROJECT, 'bench/requests.lua')
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'))
  try {
    const file = path.join(folder, 'requests')
    writeFileSync(file, requests.map(rawOf).map(lengthFirst).join(''))
    const { output, busy } = await run(['wrk', ...amount, '-s', script, url, '--', file], seconds)
    return { ...readWrk(output, url), ...(busy === undefined ? {} : { busy }) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function lengthFirst(request: string): string {
  return `${Buffer.byteLength(request)}\n${request}\n`
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
  const program = path.join(PROJECT, 'build/bench/autocannon.js')
  const { output } = await run([process.execPath, program], load.seconds, JSON.stringify(load))
  return JSON.parse(output) as Served
}

/** Runs a program of load on the load's core. */
export function run(
  command: readonly string[],
  seconds: number,
  input?: string,
): Promise<{ output: string; busy: number | undefined }> {
  const { file, rest } = pinned(LOAD_CORE, command)
  return new Promise((resolve, reject) => {
    let busy: number | undefined
    const child = execFile(file, rest, { maxBuffer: 1 << 26 }, (error, output, complaint) => {
      clearTimeout(timer)
      if (error === null) resolve({ output, busy })
      else reject(new Error(`${error.message}\n${complaint}`, { cause: error }))
    })
    const timer = setTimeout(() => (busy = busyShare(child, seconds * NEARLY)), seconds * NEARLY * 1000)
    child.stdin?.end(input)
  })
}

/** When the program is asked what it has used: it is gone at the end. */
const NEARLY = 0.9
const TICKS_PER_SECOND = 100

/** The share of the time that a process has used. Linux tells. */
function busyShare({ pid }: ChildProcess, seconds: number): number | undefined {
  try {
    // After the name, which may have spaces: state, eleven other fields, user time, system time.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND / seconds
  } catch (error) {
    // Another system, or a program that ended early, of which its caller hears.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
