/**
 * Proves that every key in Redis expires, but for the one that counts leases:
 * `npm run proof:keys`, or `npm run proof:keys -- --url redis://…` for a database that is in use.
 */
import { parseArgs } from 'node:util'

import { Redis } from 'ioredis'

import { startRedisServer } from '../test/support/redis-server.ts'
import { Browser, closeConnections } from './browser.ts'
import { openSiteOn } from './site.ts'
import { tableOf } from './table.ts'

/** What the keys of one application are, by what follows the prefix. */
const KINDS: readonly { readonly name: string; readonly pattern: RegExp; readonly expires: boolean }[] = [
  { name: 'records and markers of ended visits', pattern: /^[\w-]{24}$/, expires: true },
  { name: 'indexes of users, and of open cycles', pattern: /^@/, expires: true },
  { name: 'leases', pattern: /^#\d+$/, expires: true },
  { name: 'the ledger: the last lease, and the epoch', pattern: /^#$/, expires: false },
]
/** The longest that anything is kept by default: the absolute timeout and the slowest request. */
const LONGEST = (12 * 60 + 15) * 60_000
const PORTION = 500

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
    longest: { type: 'string', default: String(LONGEST) },
  },
})

const kinds = options.url === undefined ? await walkOwn() : await walk(options.url)
process.stdout.write(`\n${asTable(kinds)}\n\n`)
const complaints = complaintsOf(kinds)
process.stdout.write(complaints.length === 0 ? 'Every key expires but the one ledger.\n' : `${complaints.join('\n')}\n`)
process.exitCode = complaints.length === 0 ? 0 : 1

/** A Redis of its own, after visitors of all kinds. */
async function walkOwn(): Promise<Map<string, Kind>> {
  const server = await startRedisServer()
  try {
    const site = await openSiteOn(server.url, 'primary')
    try {
      await visit(site.servers)
    } finally {
      await site.close()
      closeConnections()
    }
    return await walk(server.url)
  } finally {
    await server.stop()
  }
}

async function visit(servers: readonly string[]): Promise<void> {
  await Promise.all(Array.from({ length: 40 }, (_, at) => visitAs(new Browser(servers), at)))
  await new Browser(servers).post(0, '/revoke-user?user=user1')
}

/** A guest, a user, somebody who renews, who signs out, who signs in as another, who is revoked. */
async function visitAs(browser: Browser, at: number): Promise<void> {
  const server = at % 2
  await browser.post(server, `/item?item=${at}`)
  if (at % 8 === 0) return
  await browser.post(1 - server, `/sign-in?user=user${at % 5}`)
  await browser.post(server, '/count')
  if (at % 3 === 0) await browser.post(server, '/renew')
  if (at % 4 === 1) await browser.post(1 - server, '/sign-out')
  if (at % 7 === 2) await browser.post(server, `/sign-in?user=other${at}`)
}

async function walk(url: string): Promise<Map<string, Kind>> {
  const redis = new Redis(url)
  try {
    const walked = new Map<string, Kind>()
    let cursor = '0'
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', `${options.prefix}*`, 'COUNT', PORTION)
      cursor = next
      const lives = await Promise.all(keys.map((key) => redis.pttl(key)))
      for (const [at, key] of keys.entries()) count(walked, key, lives[at] ?? -1)
    } while (cursor !== '0')
    return walked
  } finally {
    redis.disconnect()
  }
}

/** `life`: milliseconds; -1: it does not expire, -2: it has, meanwhile. */
function count(walked: Map<string, Kind>, key: string, life: number): void {
  if (life === -2) return
  const rest = key.slice(options.prefix.length)
  const name = KINDS.find(({ pattern }) => pattern.test(rest))?.name ?? 'not known'
  const kind = walked.get(name) ?? { keys: 0, without: 0, shortest: Number.POSITIVE_INFINITY, longest: 0 }
  kind.keys++
  if (life === -1) kind.without++
  else {
    kind.shortest = Math.min(kind.shortest, life)
    kind.longest = Math.max(kind.longest, life)
  }
  walked.set(name, kind)
}

function complaintsOf(all: ReadonlyMap<string, Kind>): string[] {
  const found: string[] = []
  for (const [name, { keys, without, longest }] of all) {
    const expires = KINDS.find((kind) => kind.name === name)?.expires ?? true
    if (expires && without > 0) found.push(`${without} of ${keys} keys do not expire: ${name}`)
    if (!expires && keys > 1) found.push(`${keys} keys, and there should be one: ${name}`)
    if (longest > Number(options.longest)) found.push(`A key lives for ${hours(longest)}: ${name}`)
  }
  if (all.size === 0) found.push(`There is no key that begins with ${options.prefix}`)
  return found
}

function asTable(all: ReadonlyMap<string, Kind>): string {
  const rows = [...all].map(([name, { keys, without, shortest, longest }]) => [
    name,
    String(keys),
    String(without),
    keys === without ? '–' : hours(shortest),
    keys === without ? '–' : hours(longest),
  ])
  return tableOf([[`keys under ${options.prefix}`, 'keys', 'do not expire', 'shortest life', 'longest life'], ...rows])
}

function hours(milliseconds: number): string {
  return milliseconds < 3_600_000
    ? `${(milliseconds / 60_000).toFixed(1)} min`
    : `${(milliseconds / 3_600_000).toFixed(2)} h`
}
