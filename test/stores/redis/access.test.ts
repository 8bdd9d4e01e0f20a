/** How the store gets in: TLS, sockets of the machine, and passwords that change. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { OptionsError, StoreUnavailableError } from '../../../src/errors.ts'
import { type Certificates, makeCertificates } from '../../support/certificates.ts'
import { freePort, type RedisServer } from '../../support/redis-server.ts'
import { failure, LONG, newSelector, openStore, record, server, settlesWithin, store } from './fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-access-'))
let ours: Certificates
let others: Certificates

beforeAll(() => {
  ours = makeCertificates(join(folder, 'ours'))
  others = makeCertificates(join(folder, 'others'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A server that talks TLS on a port of its own. Answers the port. */
async function tlsServer({ ca, cert, key }: Certificates, clients: 'yes' | 'no' = 'no'): Promise<number> {
  const redis = await server('--tls-ca-cert-file', ca, '--tls-cert-file', cert, '--tls-key-file', key)
  const port = await freePort()
  expect(await redis.cli('config', 'set', 'tls-auth-clients', clients, 'tls-port', String(port))).toBe('OK')
  return port
}

/** The certificate as it would be if it had been good until yesterday. */
function expired(certificates: Certificates): Certificates {
  const { ca, key } = certificates
  const [request, cert, extensions] = ['request.pem', 'expired.pem', 'names'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1\n')
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  openssl('req', '-new', '-key', key, '-subj', '/CN=localhost', '-out', request)
  const signing = ['-CA', ca, '-CAkey', ca.replace('.pem', '.key'), '-CAcreateserial', '-days', '-1']
  openssl('x509', '-req', '-in', request, ...signing, '-extfile', extensions, '-out', cert)
  return { ...certificates, cert }
}

describe('TLS', () => {
  it('knows the server by its certificate', async () => {
    const url = `rediss://127.0.0.1:${await tlsServer(ours)}`
    const opened = await openStore({ url, tls: { ca: readFileSync(ours.ca) } })
    expect(await opened.nextLease()).toBe(1)
  })

  it('shows a certificate of its own where the server asks for one', async () => {
    const url = `rediss://127.0.0.1:${await tlsServer(ours, 'yes')}`
    const tls = { ca: readFileSync(ours.ca), cert: readFileSync(ours.cert), key: readFileSync(ours.key) }
    expect(await (await openStore({ url, tls })).nextLease()).toBe(1)
    await expect(store({ url, tls: { ca: tls.ca }, deadline: 300 }).open()).rejects.toThrow(OptionsError)
  })

  it.each<[string, () => Promise<{ port: number; ca?: string; servername?: string }>]>([
    ['an authority that is not ours', async () => ({ port: await tlsServer(ours), ca: others.ca })],
    ['an authority that nobody knows', async () => ({ port: await tlsServer(ours) })],
    ['a certificate that has expired', async () => ({ port: await tlsServer(expired(ours)), ca: ours.ca })],
    [
      'a certificate of somebody else',
      async () => ({ port: await tlsServer(ours), ca: ours.ca, servername: 'redis.example' }),
    ],
  ])('%s ends open at once, with an OptionsError that says what to check', async (_, make) => {
    const { port, ca, servername } = await make()
    const tls = { ...(ca !== undefined && { ca: readFileSync(ca) }), ...(servername !== undefined && { servername }) }
    const begun = performance.now()
    const error: unknown = await store({ url: `rediss://127.0.0.1:${port}`, tls, deadline: 10_000 })
      .open()
      .catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(OptionsError)
    expect(String(error)).toContain('the option tls')
    expect(performance.now() - begun).toBeLessThan(5_000)
  })
})

describe('a socket of the machine', () => {
  it('serves like a port, with a user and a database', async () => {
    const redis = await server()
    const path = join(redis.directory, 'redis.sock')
    await redis.kill()
    await redis.start(['--unixsocket', path])
    await redis.cli('acl', 'setuser', 'shop', 'on', '>p@ss', '~hf:*', '+@all')
    const opened = await openStore({ url: `unix://shop:p%40ss@${path}`, database: 2 })
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    expect(await redis.cli('-n', '2', 'exists', `hf:${selector}`)).toBe('1')
    const { error } = await failure(() => store({ url: 'unix:/nowhere/redis.sock', deadline: 200 }).open())
    expect(error.message).toMatch(/\/nowhere\/redis\.sock.*ENOENT/)
  })
})

describe('a password that changes', () => {
  async function rotated(): Promise<{ redis: RedisServer; rotate: (password: string) => Promise<void> }> {
    const redis = await server()
    const rotate = async (password: string): Promise<void> => {
      await redis.cli('acl', 'setuser', 'shop', 'on', 'resetpass', `>${password}`, '~hf:*', '+@all')
    }
    await rotate('first')
    return { redis, rotate }
  }

  it('is asked for at each connect, and nobody notices', async () => {
    const { redis, rotate } = await rotated()
    const asked: string[] = []
    let password = 'first'
    const credentials = async () => {
      await wait(5)
      asked.push(password)
      return { username: 'shop', password }
    }
    const opened = await openStore({ url: redis.url, deadline: 5_000, credentials })
    await rotate('second')
    await redis.cli('client', 'kill', 'type', 'normal')
    await expect.poll(() => asked.length, { timeout: 5_000 }).toBeGreaterThan(1)
    const waiting = opened.nextLease()
    password = 'second'
    expect(await waiting).toBe(1)
    expect(asked.at(-1)).toBe('second')
  })

  it('and is wrong meanwhile is a store that is unavailable, not one that was set up wrongly', async () => {
    const { redis } = await rotated()
    const late = store({ url: redis.url, deadline: 300, credentials: () => ({ username: 'shop', password: 'wrong' }) })
    const error: unknown = await late.open().catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(StoreUnavailableError)
    expect(String(error)).toMatch(/WRONGPASS.*credentials/)
    expect(String(error)).not.toContain('wrong@')
  })

  it.each<[string, () => never]>([
    [
      'throws',
      () => {
        throw new Error('the vault is sealed')
      },
    ],
    ['answers nothing', () => undefined as never],
    ['never answers', () => new Promise(() => undefined) as never],
  ])(
    'by a function that %s: the store is unavailable within its deadline, and leaves nothing behind',
    async (_, credentials) => {
      const redis = await server()
      const opened = store({ url: redis.url, deadline: 500, credentials })
      const opening = failure(() => opened.open())
      expect(await settlesWithin(600, opening)).toBe(true)
      await opening
      await opened.close()
    },
  )
})

describe('a server that becomes a replica', () => {
  it('is not asked until it is a primary again: those who come meanwhile wait, and lose nothing', async () => {
    const redis = await server()
    const opened = await openStore({ url: redis.url, deadline: 5_000 })
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    await redis.cli('replicaof', '127.0.0.1', '1')
    const calls = Promise.all([opened.load(selector), opened.touch(selector, LONG), opened.nextLease()])
    await wait(300)
    await redis.cli('replicaof', 'no', 'one')
    const [found, touched, lease] = await calls
    expect(new Uint8Array(found ?? [])).toEqual(record(1))
    expect([touched, lease]).toEqual(['touched', 1])
  })

  it('is said to be one, where it stays one', async () => {
    const redis = await server('--replicaof', '127.0.0.1', '1')
    const { error } = await failure(() => store({ url: redis.url, deadline: 300 }).open())
    expect(error.message).toContain('is a replica')
    expect(await redis.cli('info', 'commandstats')).not.toContain('cmdstat_get')
  })
})

describe('a server that loads its data', () => {
  it('is waited for, within the deadline: nobody is told that there is no session', async () => {
    const redis = await server()
    const opened = await openStore({ url: redis.url, deadline: 10_000 })
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    await redis.cli('eval', "for n = 1, 2000 do redis.call('set', 'filler' .. n, 'x') end", '0')
    await redis.cli('save')
    await redis.kill()
    // Microseconds for each key.
    const starting = redis.start(['--key-load-delay', '300', '--loading-process-events-interval-bytes', '1024'])
    const begun = performance.now()
    const [found, touched] = await Promise.all([opened.load(selector), opened.touch(selector, LONG)])
    expect(new Uint8Array(found ?? [])).toEqual(record(1))
    expect(touched).toBe('touched')
    expect(performance.now() - begun).toBeGreaterThan(500)
    expect(opened.stats().commands).toBeLessThan(10)
    await starting
  })
})
