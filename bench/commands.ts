/** What each request sends to Redis, as the server itself tells it: every command it takes, one by one (MONITOR). */
import { once } from 'node:events'
import { connect } from 'node:net'

import { tableOf } from '../proof/table.ts'
import type { RedisServer } from '../test/support/redis-server.ts'
import { ask, succeeded } from './ask.ts'
import { REQUESTS, type Work } from './compare.ts'
import { type Contender, type Running, start } from './contender.ts'
import { type Part, tell } from './program.ts'
import { checkShared, checkSignedIn, headersOf } from './sanity.ts'

const VISITORS = 20
const REQUESTS_EACH = 50
/** Commands of a request, by the kind of its work. */
const TARGETS: Readonly<Record<Work, number>> = { read: 1, change: 2 }

const NOTES = [
  `Counted at the server with MONITOR, over ${VISITORS * REQUESTS_EACH} requests of ${VISITORS} visitors whom the server process had seen before.`,
  'Housekeeping is on no key of a session. Not in these requests: once for each session, server process and tenth of the idle',
  "timeout, Holdfast moves the session's deadline, and looks whether its user was revoked. Two commands for which nobody waits.",
]

/** What was sent for one request, on average. */
interface Sent {
  readonly name: string
  readonly work: Work
  readonly perRequest: number
  /** Each command with its share. */
  readonly commands: Readonly<Record<string, number>>
  /** What scripts did in turn, within the server. */
  readonly inScripts: Readonly<Record<string, number>>
  /** Commands that no request needed: heartbeats and the like, in all. */
  readonly housekeeping: number
}

/** Counts the commands of each contender. */
export async function countCommands(redis: RedisServer, contenders: readonly Contender[]): Promise<Part> {
  const title = '4. Commands that a request sends to Redis'
  tell(title)
  const rows: Sent[] = []
  for (const contender of contenders) {
    const running = await start(contender, VISITORS)
    try {
      await checkSignedIn(running)
      await checkShared(running)
      for (const work of ['read', 'change'] as const) rows.push(await sentBy(running, work, redis))
    } finally {
      await running.stop()
    }
  }
  const targets = rows.filter(({ name }) => name.includes('Holdfast')).map(targetLine)
  return {
    text: [title, '', table(rows), '', ...targets, ...NOTES].join('\n'),
    json: { title, rows, targets: TARGETS },
  }
}

async function sentBy(running: Running, work: Work, redis: RedisServer): Promise<Sent> {
  const { method, path } = REQUESTS[work]
  const send = async (times: number): Promise<void> => {
    for (let request = 0; request < times; request++)
      for (const cookie of running.cookies)
        succeeded(method, path, await ask(method, running.url + path, headersOf(cookie)))
  }
  await send(1)
  const lines = await monitored(redis, () => send(REQUESTS_EACH))
  const ofSessions = lines.filter(isOfSession)
  const requests = running.cookies.length * REQUESTS_EACH
  const sent = ofSessions.filter((line) => !isInScript(line))
  return {
    name: running.name,
    work,
    perRequest: sent.length / requests,
    commands: shares(sent, requests),
    inScripts: shares(ofSessions.filter(isInScript), requests),
    housekeeping: lines.length - ofSessions.length,
  }
}

/** The lines that MONITOR wrote while something was done. */
async function monitored(redis: RedisServer, act: () => Promise<void>): Promise<string[]> {
  const socket = connect(redis.port, '127.0.0.1').setEncoding('utf8')
  const end = `end of ${Math.random()}`
  let written = ''
  try {
    await once(socket, 'connect')
    socket.write('MONITOR\r\n')
    await once(socket, 'data')
    const whole = new Promise<void>((resolve) => {
      socket.on('data', (text: string) => {
        written += text
        if (written.includes(end)) resolve()
      })
    })
    await act()
    await redis.cli('echo', end)
    await whole
  } finally {
    socket.destroy()
  }
  const lines = written.split('\r\n')
  return lines.slice(
    0,
    lines.findIndex((line) => line.includes(end)),
  )
}

/** `hf:#…` holds leases and the epoch. */
function isOfSession(line: string): boolean {
  return /"(?:hf:(?!#)|sess:)/.test(line)
}

/** A line is `time [database address] "COMMAND" "argument" …`; the address of what a script does is `lua`. */
function isInScript(line: string): boolean {
  return /^\S+ \[\d+ lua\]/.test(line)
}

function shares(lines: readonly string[], requests: number): Record<string, number> {
  const found: Record<string, number> = {}
  for (const line of lines) {
    const command = (/\] "([^"]+)"/.exec(line)?.[1] ?? '?').toUpperCase()
    found[command] = (found[command] ?? 0) + 1 / requests
  }
  return found
}

function table(rows: readonly Sent[]): string {
  const lines = rows.map(({ name, work, perRequest, commands, inScripts, housekeeping }) => [
    name,
    work,
    perRequest.toFixed(3),
    listed(commands),
    listed(inScripts),
    String(housekeeping),
  ])
  return tableOf([['', 'work', 'sent per request', 'which', 'what its script does', 'housekeeping, in all'], ...lines])
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([command, share]) => (Math.abs(share - 1) < 0.0005 ? command : `${share.toFixed(3)} ${command}`))
    .join(' + ')
}

function targetLine({ name, work, perRequest }: Sent): string {
  const target = TARGETS[work]
  return `Target: ${name} sends ${target} for a ${work}. It sends ${perRequest.toFixed(3)}: ${perRequest <= target ? 'met' : 'missed'}.`
}
