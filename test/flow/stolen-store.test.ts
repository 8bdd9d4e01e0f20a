/** I8: who has stolen the store, with or without the secret, can build no request that is served as a visitor. */
import { createHash } from 'node:crypto'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { closeConnections, type Browser, type Cookies } from '../../proof/browser.ts'
import { grownOld, inLanes, jsonOf, who, WITH_SHORT_GRACE, type Who } from '../../proof/race/race.ts'
import { nameOf, openSite, SECRET, type Site, type Target } from '../../proof/site.ts'
import { RANKS, sealId, type Rank } from '../../src/core/cookie.ts'
import { createKeyring, type Keyring } from '../../src/core/keyring.ts'
import { decodeRecord, type LiveRecord } from '../../src/core/live-record.ts'
import { pooledRandom } from '../../src/core/random.ts'
import { handleOf, selectorBytes, successor, VERIFIER_BYTES, type Verifier } from '../../src/core/session-id.ts'
import type { Selector } from '../../src/core/store.ts'
import { makeToken } from '../../src/csrf/token.ts'
import { dumpOf, type Dump } from './dump.ts'

const TARGETS: readonly Target[] = [
  { kind: 'holdfast', adapter: 'express', store: 'redis' },
  { kind: 'holdfast', adapter: 'fastify', store: 'lmdb' },
]

afterAll(closeConnections)

/** Visitors in every state that leaves something in the store, with what must not be shown of them. */
async function populate(site: Site): Promise<Browser[]> {
  const guest = site.browser()
  await guest.get(0, '/form')
  await guest.post(0, '/key?key=private-guest')
  const [fresh, renewed, presented, gone] = await Promise.all(
    ['fresh', 'renewed', 'presented', 'gone'].map(async (user) => {
      const browser = site.browser()
      jsonOf(await browser.post(0, `/sign-in?user=private-${user}`))
      jsonOf(await browser.post(1, `/key?key=private-${user}`))
      return browser
    }),
  )
  await grownOld()
  for (const browser of [renewed, presented]) jsonOf(await (browser as Browser).post(0, '/renew'))
  await who(presented as Browser, 1)
  jsonOf(await (gone as Browser).post(1, '/sign-out'))
  return [guest, fresh as Browser, renewed as Browser, presented as Browser]
}

interface Attempt {
  readonly name: string
  readonly cookies: Cookies
}

/** Every verifier that can be made from a record: its pieces, their hashes, and what the succession makes of them. */
function guessedVerifiers(keyring: Keyring, selector: Selector, value: Uint8Array): Map<string, Verifier> {
  const guesses = new Map<string, Verifier>()
  const record = decodeRecord(value)
  const nonce = record?.previous?.nonce
  const add = (name: string, bytes: Uint8Array): void => {
    guesses.set(name, Buffer.from(bytes) as unknown as Verifier)
  }
  for (let at = 0; at + VERIFIER_BYTES <= value.length; at++) {
    const piece = Buffer.from(value.subarray(at, at + VERIFIER_BYTES))
    add(`bytes at ${at}`, piece)
    add(`the hash of the bytes at ${at}`, createHash('sha256').update(piece).digest().subarray(0, VERIFIER_BYTES))
    if (nonce !== undefined)
      add(
        `the successor of the bytes at ${at}`,
        successor(keyring.active.keys.succession, selector, piece as unknown as Verifier, nonce),
      )
  }
  add('the selector', selectorBytes(selector).subarray(0, VERIFIER_BYTES))
  add('nothing', Buffer.alloc(VERIFIER_BYTES))
  return guesses
}

function attemptsOn(keyring: Keyring, selector: Selector, value: Uint8Array): Attempt[] {
  const mintedAt = [Date.now(), decodeRecord(value)?.idMintedAt ?? 0]
  return [...guessedVerifiers(keyring, selector, value)].flatMap(([name, verifier]) =>
    RANKS.flatMap((rank) =>
      mintedAt.map((at) => ({
        name: `${rank} with ${name}`,
        cookies: new Map([[rank, sealId(keyring, rank, { selector, verifier, mintedAt: at })]]),
      })),
    ),
  )
}

/** Without the secret there is only what lies about: names, handles, values, under any rank. */
function blindAttempts(selector: Selector, value: Uint8Array): Attempt[] {
  const record = decodeRecord(value)
  const text = Buffer.from(value).toString('base64url')
  const strings = [
    selector,
    text,
    text.slice(0, 76),
    text.padEnd(76, 'A').slice(0, 76),
    handleOf(selector, record?.epoch ?? 0),
    `${selector}.${text}`,
  ]
  const secrets = [value, Buffer.from(text), Buffer.from(selector.padEnd(32, '0'))].filter(
    (secret) => secret.length >= 32,
  )
  const guessed = secrets.flatMap((secret) =>
    attemptsOn(createKeyring(secret, ''), selector, value).filter((_, at) => at % 40 === 0),
  )
  return [
    ...guessed,
    ...strings.flatMap((string) =>
      RANKS.map((rank) => ({ name: `${rank}=${string}`, cookies: new Map([[rank, string]]) })),
    ),
  ]
}

describe.each(TARGETS.map((target) => [nameOf(target), target] as const))('a full dump of %s', (_name, target) => {
  let site: Site
  let dump: Dump
  let owners: Browser[]
  const keyring = createKeyring(SECRET, '')
  beforeAll(async () => {
    site = await openSite(target, WITH_SHORT_GRACE)
    owners = await populate(site)
    dump = await dumpOf(site.store)
  })
  afterAll(() => site.close())

  /** Reads as, and writes as, whoever the cookies are taken for. Answers what went wrong. */
  async function attack({ name, cookies }: Attempt): Promise<string | undefined> {
    const read = await site.browser().send(0, 'GET', '/who', { cookies })
    if (read.body.includes('private-')) return `${name}: read ${read.body}`
    const written = await site.browser().send(1, 'POST', '/key?key=planted', { cookies, form: {} })
    if (written.body.includes('private-')) return `${name}: wrote as ${written.body}`
    return undefined
  }

  async function attackAll(attempts: readonly Attempt[]): Promise<void> {
    const outcomes = await inLanes(attempts.length, 16, (at) => attack(attempts[at] as Attempt))
    expect(outcomes.filter((outcome) => outcome !== undefined)).toEqual([])
    for (const owner of owners) expect(Object.keys((await who(owner.copy(), 0)).keys ?? {})).not.toContain('planted')
  }

  it('holds a record for each visitor, an ended marker, and no cookie in clear', () => {
    expect(dump.live.size).toBe(4)
    // A guest succeeds a visitor; two of the signed-in were renewed.
    expect([...dump.live.values()].filter((value) => decodeRecord(value)?.previous !== undefined)).toHaveLength(3)
    const everything = Buffer.concat(dump.bytes).toString('latin1')
    for (const owner of owners) {
      for (const value of owner.cookies.values()) {
        expect(everything).not.toContain(value)
        const verifier = Buffer.from(value, 'base64url').subarray(23, 23 + VERIFIER_BYTES)
        expect(everything).not.toContain(verifier.toString('latin1'))
        expect(everything).not.toContain(verifier.toString('base64url'))
        expect(everything).not.toContain(verifier.toString('hex'))
      }
    }
  })

  it('I8: without the secret, nothing in it is a cookie or a key to one', async () => {
    await attackAll([...dump.live].flatMap(([selector, value]) => blindAttempts(selector, value)))
  })

  it('I8: with the secret, no verifier can be made from a record, its hashes, its nonce or the one before', async () => {
    await attackAll([...dump.live].flatMap(([selector, value]) => attemptsOn(keyring, selector, value)))
  })

  it('I8: with the secret and a session of one’s own, another’s selector cannot be put under one’s own verifier', async () => {
    const own = site.browser()
    jsonOf(await own.post(0, '/sign-in?user=thief'))
    const value = Buffer.from(own.cookies.get('sid') ?? '', 'base64url')
    const verifier = value.subarray(23, 23 + VERIFIER_BYTES) as unknown as Verifier
    const attempts = [...dump.live.keys()].flatMap((selector) =>
      RANKS.map((rank: Rank): Attempt => {
        const forged = sealId(keyring, rank, { selector, verifier, mintedAt: Date.now() })
        return { name: `${rank} of ${selector}`, cookies: new Map([...own.cookies, [rank, forged]]) }
      }),
    )
    await attackAll(attempts)
  })

  it('I8: a CSRF token made from the dump does not make a request the visitor’s, nor a cross-site one acceptable', async () => {
    for (const [selector, value] of dump.live) {
      const { userId, epoch } = decodeRecord(value) as LiveRecord
      const token = makeToken(keyring.active, pooledRandom(), { selector, epoch, signedIn: userId !== undefined })
      const bare = await site.browser().send(0, 'POST', '/submit', { form: { _csrf: token } })
      expect(bare.body).not.toContain('private-')
      for (const owner of owners) {
        const headers = { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' }
        expect((await owner.send(0, 'POST', '/submit', { form: { _csrf: token }, headers })).status).toBe(403)
      }
    }
  })

  it('leaves every owner’s session as it was', async () => {
    const users: (Who['user'] | undefined)[] = []
    for (const owner of owners) users.push((await who(owner, 1)).user)
    expect(users).toEqual([null, 'private-fresh', 'private-renewed', 'private-presented'])
    expect((await who(owners[0] as Browser, 0)).keys).toEqual({ 'private-guest': true })
  })
})
