/**
 * Whether a process stays within the bound of its near cache, however many visitors it has seen: each signs in and reads
 * once, and after every so many it is looked what the process has kept, after a collection:
 * `npm run bench:crowd -- [--sessions N] [--megabytes N] [--json]`.
 *
 * Entries are used for a minute here, so that they fill the bound before they are too old.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { tableOf } from '../proof/table.ts'
import { forEachOf } from './ask.ts'
import { type Running, start } from './contender.ts'
import { CONTENDERS } from './contenders.ts'
import { machine, machineLine, tell } from './machine.ts'
import type { Used } from './server.ts'
import { Visitor } from './visitor.ts'

interface Checkpoint {
  readonly seen: number
  /** Bytes more than before the first of them. */
  readonly kept: number
  readonly resident: number
  /** What the near cache counts. */
  readonly entries: number
  readonly bytes: number
}

/** Before it is counted, so that code, tables and connections are there. */
const WARM_UP = 5_000
const CHECKPOINTS = 20
const SETTLING = 1_000
/** How much more than the bound is taken, at most. */
const TOLERANCE = 0.1

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '1000000' },
    megabytes: { type: 'string', default: '64' },
    json: { type: 'boolean', default: false },
  },
})
await main(Number(values.sessions), Number(values.megabytes))

async function main(sessions: number, megabytes: number): Promise<void> {
  if (!Number.isInteger(sessions) || sessions < CHECKPOINTS) throw new Error(`--sessions: ${CHECKPOINTS} or more`)
  if (!(megabytes > 0)) throw new Error('--megabytes: more than 0')
  const bound = megabytes * 2 ** 20
  const plain = CONTENDERS.find(({ id }) => id === 'fastify-holdfast-redis')
  if (plain === undefined) throw new Error('there is no such contender')
  const nearCache = { maxAge: '1m', entries: sessions, bytes: bound } as const
  const running = await start({ ...plain, setup: { ...plain.setup, nearCache } }, { visitors: 0, collecting: true })
  try {
    const checkpoints = await measured(running, sessions)
    process.stdout.write(values.json ? `${JSON.stringify({ bound, checkpoints })}\n` : report(checkpoints, bound))
    process.exitCode = highest(checkpoints) <= bound * (1 + TOLERANCE) ? 0 : 1
  } finally {
    await running.stop()
  }
}

async function measured(running: Running, sessions: number): Promise<Checkpoint[]> {
  await come(running, 'w', WARM_UP)
  const before = await settled(running)
  const checkpoints: Checkpoint[] = []
  for (let seen = 0; seen < sessions;) {
    const more = Math.min(Math.ceil(sessions / CHECKPOINTS), sessions - seen)
    await come(running, `v${seen}-`, more)
    seen += more
    const { kept, resident, near } = await settled(running)
    checkpoints.push({ seen, kept: kept - before.kept, resident: resident - before.resident, ...near })
    tell(`  ${seen} seen, ${megabytesOf(kept - before.kept)} MB kept`)
  }
  return checkpoints
}

/** What a request leaves for a moment is not kept; and finalizers leave something for a second collection. */
async function settled(running: Running): Promise<Used> {
  await running.used()
  await wait(SETTLING)
  return await running.used()
}

/** Each signs in and reads the page once. */
async function come({ url }: Running, prefix: string, count: number): Promise<void> {
  await forEachOf(
    Array.from({ length: count }, (_, at) => `${prefix}${at}`),
    async (user) => {
      const visitor = new Visitor(url, user)
      await visitor.signIn()
      await visitor.askFor('GET', '/')
    },
  )
}

function highest(checkpoints: readonly Checkpoint[]): number {
  return Math.max(...checkpoints.map(({ kept }) => kept))
}

function report(checkpoints: readonly Checkpoint[], bound: number): string {
  const rows = checkpoints.map(({ seen, kept, resident, entries, bytes }) => [
    seen.toLocaleString('en').replaceAll(',', ' '),
    megabytesOf(kept),
    megabytesOf(resident),
    String(entries),
    megabytesOf(bytes),
  ])
  const share = highest(checkpoints) / bound
  return `
${tableOf([['sessions seen', 'kept, MB', 'resident, MB', 'in the near cache', 'as it counts, MB'], ...rows])}

Kept: V8's heap and what is outside of it, after a collection, beyond what there was after ${WARM_UP} others. The bound is
${megabytesOf(bound)} MB; at most ${share.toFixed(2)} of it were kept: ${share <= 1 + TOLERANCE ? 'met' : 'missed'} (up to ${1 + TOLERANCE}).
${machineLine(machine())}
`
}

function megabytesOf(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
