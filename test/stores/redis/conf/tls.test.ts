/** Servers that talk TLS only, as `redisConf` configures them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { redisConf } from 'holdfast/redis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'

import { HoldfastError, OptionsError, StoreUnavailableError } from '../../../../src/errors.ts'
import { type Certificates, makeCertificates } from '../../../support/certificates.ts'
import { type RedisServer, startRedisServer } from '../../../support/redis-server.ts'
import { LONG, newSelector, openStore, record, store } from '../fixture.ts'
import { PASSWORDS } from './fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'))
let files: Certificates

beforeAll(() => {
  files = makeCertificates(folder)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function start(clientCertificates: boolean, primary?: RedisServer): Promise<RedisServer> {
  const shared = { memory: '64mb', replicas: 1, passwords: PASSWORDS } as const
  const tls = { ca: files.ca, cert: files.cert, key: files.key, clientCertificates }
  const server = await startRedisServer({
    config: (at) =>
      primary === undefined
        ? redisConf({ ...shared, ...at, tls })
        : redisConf({ ...shared, ...at, tls, role: 'replica', primary: { host: '127.0.0.1', port: primary.port } }),
  })
  onTestFinished(() => server.stop())
  return server
}

function urlOf({ port }: RedisServer, scheme = 'rediss'): string {
  return `${scheme}://holdfast:${encodeURIComponent(PASSWORDS.holdfast)}@127.0.0.1:${port}`
}

function cli(server: RedisServer, ...command: string[]): Promise<string> {
  const line = ['--tls', '--cacert', files.ca, '--cert', files.cert, '--key', files.key]
  return server.cli(...line, '-e', '--user', 'operator', '--pass', PASSWORDS.operator, '--no-auth-warning', ...command)
}

describe('TLS', () => {
  it('the store knows the server by its certificate', async () => {
    const server = await start(false)
    const opened = await openStore({ url: urlOf(server), tls: { ca: readFileSync(files.ca) } })
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    expect(new Uint8Array((await opened.load(selector)) ?? [])).toEqual(record(1))
    await expect(store(urlOf(server)).open()).rejects.toThrow(OptionsError)
  })

  it('nothing is answered without it', async () => {
    const server = await start(false)
    await expect(store({ url: urlOf(server, 'redis'), deadline: '300ms' }).open()).rejects.toThrow(
      StoreUnavailableError,
    )
    await expect(server.cli('ping')).rejects.toThrow('Command failed')
  })

  it('clients show a certificate where they have to', async () => {
    const server = await start(true)
    const [ca, cert, key] = [files.ca, files.cert, files.key].map((file) => readFileSync(file))
    // TLS 1.3: the refusal comes after the handshake, and may be overtaken by the end of the connection.
    await expect(store({ url: urlOf(server), tls: { ca }, deadline: '300ms' }).open()).rejects.toThrow(HoldfastError)
    const opened = await openStore({ url: urlOf(server), tls: { ca, cert, key } })
    expect((await opened.epoch()).epoch).toBe(0)
  })

  it('a replica follows over TLS too', async () => {
    const primary = await start(true)
    const replica = await start(true, primary)
    await vi.waitFor(async () => expect(await cli(replica, 'info', 'replication')).toContain('master_link_status:up'), {
      timeout: 20_000,
      interval: 100,
    })
  })
})
