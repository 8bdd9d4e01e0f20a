/** What each request sends to Redis, as the server itself tells it: every command it takes, one by one (MONITOR). */
import { once } from 'node:events'
import { connect } from 'node:net'

import type { RedisServer } from '../test/support/redis-server.ts'
import type { Failure } from './compare.ts'
import type { Contender } from './contenders.ts'
import { type Running, start } from './contender.ts'
import { tell } from './machine.ts'
import { checkShared, checkSignedIn } from './sanity.ts'

const VISITORS = 20
const REQUESTS_EACH = 50

/** The requests whose commands are counted. */
const REQUESTS = { read: ['GET', '/'], write: ['POST', '/count'] } as const

/** What was sent for one request, on average. */
export interface Sent {
  readonly id: string
  readonly name: string
  readonly work: keyof typeof REQUESTS
  readonly perRequest: number
  /** Each command with its share. */
  readonly commands: Readonly<Record<string, number>>
  /** What scripts did in turn, within the server. */
  readonly inScripts: Readonly<Record<string, number>>
  /** Commands that no request needed: heartbeats and the like, in all. */
  readonly housekeeping: number
}

export interface Commands {
  readonly part: 'commands'
  readonly requests: number
  readonly visitors: number
  readonly rows: readonly Sent[]
  readonly failures: readonly Failure[]
}

/** Counts the commands of those contenders that have a Redis. */
export async function countCommands(contenders: readonly Contender[]): Promise<Commands> {
  const rows: Sent[] = []
  for (const contender of contenders) {
    if (contender.keeping !== 'redis') continue
    tell(`  ${contender.name}`)
    const running = await start(contender, { visitors: VISITORS })
    try {
      await checkSignedIn(running)
      await checkShared(running)
      for (const work of ['read', 'write'] as const) rows.push(await sentBy(running, work))
    } finally {
      await running.stop()
    }
  }
  return { part: 'commands', requests: VISITORS * REQUESTS_EACH, visitors: VISITORS, rows, failures: [] }
}

async function sentBy({ id, name, visitors, store: { redis } }: Running, work: keyof typeof REQUESTS): Promise<Sent> {
  if (redis === undefined) throw new Error(`${name} has no Redis`)
  const [method, path] = REQUESTS[work]
  const send = async (times: number): Promise<void> => {
    for (let request = 0; request < times; request++) for (const visitor of visitors) await visitor.askFor(method, path)
  }
  await send(1)
  const lines = await monitored(redis, () => send(REQUESTS_EACH))
  const ofSessions = lines.filter(isOfSession)
  const requests = visitors.length * REQUESTS_EACH
  const sent = ofSessions.filter((line) => !isInScript(line))
  return {
    id,
    name,
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
