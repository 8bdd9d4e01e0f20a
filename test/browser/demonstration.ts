/** Starts the demonstration as `npm start` does, and stops it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../build/examples/transfer/main.js', import.meta.url))

export interface Demonstration extends AsyncDisposable {
  readonly url: string
  /** Where it keeps its files. */
  readonly folder: string
  readonly process: ChildProcess
  /** What it has printed so far. */
  readonly output: () => string
  /** Resolves once it has printed this. */
  says(text: string | RegExp): Promise<void>
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** Resolves once the page can be opened. */
export async function startDemonstration(...args: string[]): Promise<Demonstration> {
  const started = runLauncher('--port', '0', ...args)
  await started.says(/Open +http:\/\/localhost:\d+/)
  const [url = ''] = /http:\/\/localhost:\d+/.exec(started.output()) ?? []
  const [, folder = ''] = /LMDB in (\S+?),/.exec(started.output()) ?? []
  return { ...started, url, folder }
}

/** A line of a ledger: something was carried out. */
export interface LedgerLine {
  readonly idempotencyKey: string
  readonly carriedOutBy: string
}

/** What was carried out in one world, as the servers have written it down. */
export function ledgerOf({ folder }: Demonstration, world: string): LedgerLine[] {
  const file = path.join(folder, `ledger-${world}.jsonl`)
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line) as LedgerLine)
}

/** Kills a server, as the page's button does. */
export async function killServer({ url }: Demonstration, name: string): Promise<void> {
  const headers = { origin: url, accept: 'application/json' }
  await fetch(`${url}/control/kill`, { method: 'POST', headers, body: `server=${name}` })
}

/** What a terminal sends, it sends to every process that was started from it. */
const fromTerminal: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGHUP'])

/** Starts the launcher, whatever comes of it. */
export function runLauncher(...args: string[]): Omit<Demonstration, 'url' | 'folder'> {
  const launcher = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let printed = ''
  for (const stream of [launcher.stdout, launcher.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text))
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (launcher.exitCode !== null || launcher.signalCode !== null) return
    const closed = once(launcher, 'close')
    process.kill(fromTerminal.has(signal) ? -Number(launcher.pid) : Number(launcher.pid), signal)
    await closed
  }
  return {
    process: launcher,
    output: () => printed,
    says: (text) =>
      until(
        () => (typeof text === 'string' ? printed.includes(text) : text.test(printed)),
        () => printed,
      ),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Waits for a condition of the outer world; at most 20 seconds. */
export async function until(condition: () => boolean, explain: () => string = String): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`It never came: ${condition.toString()}\n${explain()}`)
    await pause(25)
  }
}

/** The processes below a process, and those below them. */
export function descendants(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && parentOf(Number(entry)) === pid)
    .map(Number)
  return children.flatMap((child) => [child, ...descendants(child)])
}

export function isAlive(pid: number): boolean {
  return stateOf(pid) !== undefined && stateOf(pid) !== 'Z'
}

function parentOf(pid: number): number | undefined {
  const fields = statusOf(pid)
  return fields === undefined ? undefined : Number(fields[1])
}

function stateOf(pid: number): string | undefined {
  return statusOf(pid)?.[0]
}

/** What follows the program's name in `/proc/<pid>/stat`: state, parent, and more. */
function statusOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
