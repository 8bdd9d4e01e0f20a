/**
 * What each stage of a request costs, one by one and without a server around them, so that a regression shows where it
 * is: `npm run bench:stages -- [--rounds N] [--visitors N] [--json]`.
 *
 * Reaches into the package: the stages have no public names.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

import type { Options, Session, Sessions, Store } from 'holdfast'

import { PROJECT } from '../proof/peers.ts'
import { tableOf } from '../proof/table.ts'
import { rotated } from './compare.ts'
import { pin, SERVER_CORE } from './cores.ts'
import { machine, machineLine } from './machine.ts'
import { median } from './statistics.ts'

/** The parts, as far as they are used here. Those with public names too: in the package they are others than the rest here. */
interface Parts {
  readonly index: { createSessions(options: Options<object>): Sessions<object> }
  readonly 'stores/lmdb': { lmdbStore(path: string): Store }
  readonly 'stores/memory': { memoryStore(): Store }
  readonly 'core/keyring': { createKeyring(secret: string, name: string): { readonly active: object } }
  readonly 'core/random': { pooledRandom(): object }
  readonly 'csrf/token': {
    makeToken(key: object, random: object, lineage: object, bound?: { path: string }): string
    judgeToken(keyring: object, token: string, lineage: object, path: string): string
  }
  readonly 'core/cookie': {
    cookieNames(name: string, transport: 'host'): { readonly sid: string }
    readCookies(header: string, names: object): unknown
    openId(keyring: object, rank: 'sid', value: string): unknown
    sealId(keyring: object, rank: 'sid', id: object): string
  }
  readonly 'core/session-id': { hashVerifier(verifier: Buffer): Buffer }
  readonly 'core/live-record': {
    decodeRecord(bytes: Uint8Array): unknown
    encodeRecord(record: object, stamp: Uint8Array): Uint8Array
  }
  readonly 'core/codec': { decode(payload: Uint8Array): object; encode(data: object, limits: object): Uint8Array }
  readonly 'core/mould': { readonly Mould: { of(data: object): Mould } }
  readonly 'core/values': { cloneDecoded(data: object): object; equal(one: object, other: object): boolean }
  readonly 'core/sessions': { beginVisit(sessions: Sessions<object>, facts: object, request: object): Visit }
}

interface Mould {
  cast(): readonly object[]
  fits(copies: readonly object[]): boolean
}

interface Visit {
  readonly session: Session<object>
  readonly unsettled: boolean
  open(): Promise<void> | undefined
  check(body: unknown): void
  settle(): Promise<{ readonly cookies: readonly string[] }>
  pass(): void
  finish(): void
}

/** Something that a request does, for the visitor at this place. */
interface Stage {
  readonly name: string
  readonly act: (visitor: number) => unknown
}

/** Milliseconds that a stage is given in each round, and before the first. */
const TURN = 20
const WARM_UP = 300
const BATCH = 64

const SECRET = 'a secret of the benchmarks, for no other use: 5ca1ab1e'
const DATA = { name: 'Ada Lovelace', roles: ['admin', 'dev'], cart: [{ sku: 'A-12345', n: 2 }] }
const PATH = '/account/transfer'
const LIMITS = { depth: 64, recordSize: 65_536 }

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    visitors: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
  },
})
await main(Number(values.rounds), Number(values.visitors))

async function main(rounds: number, visitors: number): Promise<void> {
  if (![rounds, visitors].every((given) => Number.isInteger(given) && given > 0))
    throw new Error('--rounds, --visitors: a number')
  pin(process.pid, SERVER_CORE)
  // Elsewhere data are frozen once the answer leaves, which costs more than all the rest.
  process.env['NODE_ENV'] = 'production'
  const { memoryStore } = await inside('stores/memory')
  const { lmdbStore } = await inside('stores/lmdb')
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bench-'))
  try {
    const stages = [
      ...(await partStages(visitors)),
      ...(await wholeStages('memory', memoryStore(), visitors)),
      ...(await wholeStages('LMDB', lmdbStore(folder), visitors)),
    ]
    const taken = await measure(stages, rounds, visitors)
    process.stdout.write(values.json ? `${JSON.stringify(taken, undefined, 2)}\n` : report(taken, rounds, visitors))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Cookies, records and data, as each request has to do with them. */
async function partStages(visitors: number): Promise<Stage[]> {
  const { createKeyring } = await inside('core/keyring')
  const { cookieNames, openId, readCookies, sealId } = await inside('core/cookie')
  const { hashVerifier } = await inside('core/session-id')
  const { decodeRecord, encodeRecord } = await inside('core/live-record')
  const { decode, encode } = await inside('core/codec')
  const { Mould } = await inside('core/mould')
  const { cloneDecoded, equal } = await inside('core/values')
  const { judgeToken, makeToken } = await inside('csrf/token')
  const random = (await inside('core/random')).pooledRandom()
  const keyring = createKeyring(SECRET, '')
  const names = cookieNames('', 'host')
  const stamp = Buffer.alloc(4)
  const each = Array.from({ length: visitors }, (_, visitor) => {
    const verifier = Buffer.alloc(16, visitor)
    const selector = Buffer.alloc(18, `${visitor}`).toString('base64url')
    const value = sealId(keyring, 'sid', { selector, verifier, mintedAt: Date.now() })
    const record = {
      counter: 1,
      userId: `u${10_000 + visitor}`,
      epoch: 1,
      hash: hashVerifier(verifier),
      createdAt: Date.now(),
      idMintedAt: Date.now(),
      signedInAt: Date.now(),
      sparedAt: undefined,
      previous: undefined,
      payload: encode(DATA, LIMITS),
    }
    const data = decode(record.payload)
    const mould = Mould.of(data)
    const header = `theme=dark; ${names.sid}=${value}`
    const lineage = { selector, epoch: 1, signedIn: true }
    return {
      header,
      value,
      lineage,
      token: makeToken(keyring.active, random, lineage),
      bound: makeToken(keyring.active, random, lineage, { path: PATH }),
      record,
      bytes: encodeRecord(record, stamp),
      data,
      copy: cloneDecoded(data),
      mould,
      cast: mould.cast(),
    }
  })
  type Visitor = (typeof each)[number]
  const judge = (token: string, lineage: object): void => {
    if (judgeToken(keyring, token, lineage, PATH) !== 'valid') throw new Error('a token of ours is refused')
  }
  const of = (act: (visitor: Visitor) => unknown) => (visitor: number) => act(each[visitor] as Visitor)
  return [
    { name: 'cookie header: read', act: of(({ header }) => readCookies(header, names)) },
    { name: 'cookie: verified', act: of(({ value }) => openId(keyring, 'sid', value)) },
    { name: 'record: decoded', act: of(({ bytes }) => decodeRecord(bytes)) },
    { name: 'record: encoded', act: of(({ record }) => encodeRecord(record, stamp)) },
    { name: 'data: decoded', act: of(({ record }) => decode(record.payload)) },
    { name: 'data: copied, from a mould', act: of(({ mould }) => mould.cast()) },
    { name: 'data: copied, otherwise', act: of(({ data }) => cloneDecoded(data)) },
    { name: 'data: compared, with a mould', act: of(({ mould, cast }) => mould.fits(cast)) },
    { name: 'data: compared, otherwise', act: of(({ data, copy }) => equal(copy, data)) },
    { name: 'data: encoded', act: of(({ data }) => encode(data, LIMITS)) },
    { name: 'CSRF token: made', act: of(({ lineage }) => makeToken(keyring.active, random, lineage)) },
    { name: 'CSRF token: verified', act: of(({ token, lineage }) => judge(token, lineage)) },
    {
      name: 'CSRF token for one path: made',
      act: of(({ lineage }) => makeToken(keyring.active, random, lineage, { path: PATH })),
    },
    { name: 'CSRF token for one path: verified', act: of(({ bound, lineage }) => judge(bound, lineage)) },
  ]
}

/** What the core does for a request, without an adapter, from the cookie to the answer: what reads, and what changes. */
async function wholeStages(name: string, store: Store, visitors: number): Promise<Stage[]> {
  const { beginVisit } = await inside('core/sessions')
  const { createSessions } = await inside('index')
  const sessions = createSessions({ secret: SECRET, store, origin: 'https://shop.example' })
  await sessions.ready()
  const facts = (method: string, cookie?: string): object => ({
    method,
    path: '/',
    headers: { cookie, 'sec-fetch-site': 'same-origin' },
    secure: true,
  })
  const signedIn = async (visitor: number): Promise<string> => {
    const visit = beginVisit(sessions, facts('POST'), {})
    await visit.open()
    await visit.session.signIn(`u${10_000 + visitor}`)
    Object.assign(visit.session.data, DATA)
    const { cookies } = await visit.settle()
    return cookies.map((cookie) => cookie.slice(0, cookie.indexOf(';'))).join('; ')
  }
  const cookies: string[] = []
  for (let visitor = 0; visitor < visitors; visitor++) cookies.push(await signedIn(visitor))
  let fresh = 0
  const read = (cookie: string): unknown => {
    const visit = beginVisit(sessions, facts('GET', cookie), {})
    const opening = visit.open()
    if (opening !== undefined) throw new Error(`${name} does not answer at once`)
    if (visit.session.userId === undefined) throw new Error(`${name} has no session`)
    const { data } = visit.session
    if (visit.unsettled) throw new Error(`${name} has something to save`)
    visit.pass()
    visit.finish()
    return data
  }
  const change = async (cookie: string): Promise<void> => {
    const visit = beginVisit(sessions, facts('POST', cookie), {})
    await visit.open()
    visit.check(undefined)
    Object.assign(visit.session.data, { count: fresh++ })
    await visit.settle()
    visit.finish()
  }
  const cookieOf = (visitor: number): string => cookies[visitor] as string
  return [
    { name: `${name}: a read, header known`, act: (visitor) => read(cookieOf(visitor)) },
    { name: `${name}: a read, header new`, act: (visitor) => read(`seen=${fresh++}; ${cookieOf(visitor)}`) },
    { name: `${name}: a change`, act: (visitor) => change(cookieOf(visitor)) },
  ]
}

/** Microseconds of each stage, by round. Every round gives each stage its turn, so that all see the same machine. */
async function measure(stages: readonly Stage[], rounds: number, visitors: number): Promise<Map<string, number[]>> {
  const all = new Map(stages.map(({ name }) => [name, [] as number[]]))
  for (const stage of stages) await turn(stage, visitors, WARM_UP)
  for (let round = 0; round < rounds; round++)
    for (const stage of rotated(stages, round)) all.get(stage.name)?.push(await turn(stage, visitors, TURN))
  return all
}

async function turn({ act }: Stage, visitors: number, milliseconds: number): Promise<number> {
  const start = performance.now()
  const before = process.cpuUsage()
  let done = 0
  while (performance.now() - start < milliseconds) {
    for (let more = 0; more < BATCH; more++) {
      const result = act(done++ % visitors)
      if (result instanceof Promise) await result
    }
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / done
}

function report(taken: ReadonlyMap<string, readonly number[]>, rounds: number, visitors: number): string {
  const rows = [...taken].map(([name, times]) => [
    name,
    median(times).toFixed(2),
    Math.min(...times).toFixed(2),
    Math.round(1e6 / median(times))
      .toLocaleString('en')
      .replaceAll(',', ' '),
  ])
  const text = [
    'What the stages of a request cost, in µs of processor time',
    '',
    tableOf([['', 'median', 'least', 'a second, at the median'], ...rows]),
    '',
    `${rounds} interleaved rounds, ${visitors} visitors who take turns. ${machineLine(machine())}`,
  ]
  return `\n${text.join('\n')}\n`
}

/** A part, from where they are apart: most have no public name. */
async function inside<Name extends keyof Parts>(name: Name): Promise<Parts[Name]> {
  return (await import(pathToFileURL(path.join(PROJECT, `build/src/${name}.js`)).href)) as Parts[Name]
}
