/**
 * Proves that every key in Redis expires, and when, but for the one that counts leases: `npm run proof:keys`, or
 * `npm run proof:keys -- --url redis://… [--prefix hf:] [--idle 30m] [--longest 735m]` for a database that is in use, in which
 * it only reads. `--longest`: the absolute timeout and `maxRequestTime`, or a cycle's lifetime where that is longer.
 */
import { parseArgs } from 'node:util'

import { Redis } from 'ioredis'

import { startRedisServer } from '../test/support/redis-server.ts'
import { closeConnections } from './browser.ts'
import { visitors } from './keys/visitors.ts'
import { tableOf } from './table.ts'

const PORTION = 500
/** A lease is held for so long, whatever the options say. */
const LEASE = 15 * 60_000
/** By default the absolute timeout and the slowest request, 12 h and 15 min: nothing is kept for longer. */
const LONGEST = '735m'
/** A cycle counts whole seconds, and a little more. */
const SLACK = 2_000

/** What a key is, by what follows the prefix and perhaps the application's name; and by the first byte, where it has one. */
interface KindOfKey {
  readonly name: string
  readonly pattern: RegExp
  readonly first?: number
  /** How long such a key may live at most, in milliseconds; `undefined`: for ever. */
  readonly bound: number | undefined
}

interface Kind {
  keys: number
  without: number
  shortest: number
  longest: number
}

const { values: options } = parseArgs({
  options: {
    url: { type: 'string' },
    prefix: { type: 'string', default: 'hf:' },
    idle: { type: 'string', default: '30m' },
    longest: { type: 'string', default: LONGEST },
  },
})
const longest = milliseconds(options.longest)
const NAME = String.raw`^(?:[\w-]{1,32}:)?`
const RECORD = new RegExp(String.raw`${NAME}[\w-]{24}$`)
const KINDS: readonly KindOfKey[] = [
  // The idle timeout, and at most a tenth more.
  { name: 'sessions', pattern: RECORD, first: 1, bound: 1.1 * milliseconds(options.idle) },
  { name: 'markers of what has ended', pattern: RECORD, first: 0, bound: longest + SLACK },
  { name: 'action cycles', pattern: RECORD, first: 2, bound: longest + SLACK },
  { name: 'indexes of users, and of open cycles', pattern: new RegExp(`${NAME}@`, 's'), bound: longest },
  { name: 'leases', pattern: new RegExp(String.raw`${NAME}#\d+$`), bound: LEASE },
  { name: 'the ledger: the last lease, and the epoch', pattern: new RegExp(`${NAME}#$`), bound: undefined },
]
const UNKNOWN: KindOfKey = { name: 'not known', pattern: /^/, bound: longest }

const kinds = options.url === undefined ? await walkOwn() : await walk(options.url)
process.stdout.write(`\n${asTable(kinds)}\n\n`)
const complaints = complaintsOf(kinds)
process.stdout.write(complaints.length === 0 ? 'Every key expires but the one ledger.\n' : `${complaints.join('\n')}\n`)
process.exitCode = complaints.length === 0 ? 0 : 1

/** A Redis of its own, after visitors of all kinds. */
async function walkOwn(): Promise<Map<KindOfKey, Kind>> {
  await using server = await startRedisServer()
  await visitors(server.url)
  closeConnections()
  return await walk(server.url)
}

async function walk(url: string): Promise<Map<KindOfKey, Kind>> {
  const redis = new Redis(url)
  try {
    const walked = new Map<KindOfKey, Kind>()
    // A key may be met twice, when the table grows meanwhile.
    const met = new Set<string>()
    let cursor = '0'
    do {
      const [next, found] = await redis.scan(
        cursor,
        'MATCH',
        `${options.prefix.replaceAll(/[*?[\]\\]/g, String.raw`\$&`)}*`,
        'COUNT',
        PORTION,
      )
      cursor = next
      const keys = found.filter((key) => !met.has(key))
      for (const key of keys) met.add(key)
      const lives = await Promise.all(keys.map((key) => redis.pttl(key)))
      const firsts = await Promise.all(keys.map((key) => firstByteOf(redis, key)))
      for (const [at, key] of keys.entries()) count(walked, kindOf(key, firsts[at]), lives[at] ?? -1)
    } while (cursor !== '0')
    return walked
  } finally {
    redis.disconnect()
  }
}

/** Only records have one: indexes are sets. */
async function firstByteOf(redis: Redis, key: string): Promise<number | undefined> {
  if (!RECORD.test(key.slice(options.prefix.length))) return undefined
  return (await redis.getrangeBuffer(key, 0, 0).catch(() => undefined))?.[0]
}

function kindOf(key: string, first: number | undefined): KindOfKey {
  const rest = key.slice(options.prefix.length)
  return KINDS.find((kind) => kind.pattern.test(rest) && (kind.first === undefined || kind.first === first)) ?? UNKNOWN
}

/** `life`: milliseconds; -1: it does not expire, -2: it has, meanwhile. */
function count(walked: Map<KindOfKey, Kind>, which: KindOfKey, life: number): void {
  if (life === -2) return
  const kind = walked.get(which) ?? { keys: 0, without: 0, shortest: Number.POSITIVE_INFINITY, longest: 0 }
  kind.keys++
  if (life === -1) kind.without++
  else {
    kind.shortest = Math.min(kind.shortest, life)
    kind.longest = Math.max(kind.longest, life)
  }
  walked.set(which, kind)
}

function complaintsOf(all: ReadonlyMap<KindOfKey, Kind>): string[] {
  const found: string[] = []
  for (const [which, { keys, without, longest: life }] of all) {
    if (which.bound !== undefined && without > 0) found.push(`${without} of ${keys} keys do not expire: ${which.name}`)
    if (which.bound !== undefined && life > which.bound)
      found.push(`A key lives for ${hours(life)}, and at most ${hours(which.bound)} are allowed: ${which.name}`)
    if (which === UNKNOWN) found.push(`${keys} keys are none that Holdfast makes`)
  }
  if (all.size === 0) found.push(`There is no key that begins with ${options.prefix}`)
  return found
}

function asTable(all: ReadonlyMap<KindOfKey, Kind>): string {
  const rows = [...KINDS, UNKNOWN].flatMap((which) => {
    const kind = all.get(which)
    if (kind === undefined) return []
    const { keys, without, shortest, longest: life } = kind
    const lives = keys === without ? ['–', '–'] : [hours(shortest), hours(life)]
    return [[which.name, String(keys), String(without), ...lives, which.bound === undefined ? '–' : hours(which.bound)]]
  })
  const head = [`keys under ${options.prefix}`, 'keys', 'do not expire', 'shortest life', 'longest life', 'allowed']
  return tableOf([head, ...rows])
}

function hours(time: number): string {
  return time < 3_600_000 ? `${(time / 60_000).toFixed(1)} min` : `${(time / 3_600_000).toFixed(2)} h`
}

/** Of `'30m'` or `'12h'`. */
function milliseconds(duration: string): number {
  const [, number, unit] = /^(\d+)([smh])$/.exec(duration) ?? []
  if (number === undefined) throw new Error(`'${duration}' is no duration such as 30m or 12h.`)
  return Number(number) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h']
}
