/** The balancer's configuration in the documents, with a real HAProxy in front of two server processes. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { CookieJar } from 'tough-cookie'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { findHaproxy } from '../../examples/transfer/balancer/haproxy.ts'
import { type Certificates, makeCertificates } from '../support/certificates.ts'
import { freePort, type RedisServer, startRedisServer } from '../support/redis-server.ts'

const DOCUMENT = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8')
const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-balanced-'))
const running = new Set<ChildProcess>()
let certificates: Certificates
let redis: RedisServer

beforeAll(async () => {
  certificates = makeCertificates(folder, 'shop.example')
  redis = await startRedisServer()
})

afterAll(async () => {
  await Promise.all([...running].map(end))
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
})

describe('two servers of examples/balanced.ts behind HAProxy as docs/deployment.md has it', () => {
  const servers: { child: ChildProcess; port: number }[] = []
  let balancer: Balancer

  beforeAll(async () => {
    servers.push(await startServer(), await startServer())
    balancer = await startBalancer(servers.map(({ port }) => port))
  })

  it('each gets the same share of the requests', async () => {
    const visitors = Array.from({ length: 10 }, () => new Visitor(balancer))
    for (const visitor of visitors) for (let at = 0; at < 10; at++) await visitor.open('/')
    const shares = await balancer.shares()
    expect(shares[0]! + shares[1]!).toBe(100)
    expect(Math.abs(shares[0]! - shares[1]!)).toBeLessThanOrEqual(1)
  })

  it('a form of one server is accepted by the other, and what it stored is on both', async () => {
    const visitor = new Visitor(balancer)
    for (let count = 1; count <= 6; count++) {
      const token = tokenIn((await visitor.open('/')).body)
      const sent = await visitor.submit('/cart', { _csrf: token, item: 'tea' })
      expect([sent.status, sent.location]).toEqual([302, '/'])
      expect((await visitor.open('/')).body).toContain(`cart: ${count}<`)
    }
  })

  it('cookies are for HTTPS and for this host only, because the balancer says that it is HTTPS', async () => {
    const { cookies } = await new Visitor(balancer).open('/')
    expect(cookies.length).toBeGreaterThan(0)
    for (const cookie of cookies) expect(cookie).toMatch(/^__Host-.*; Secure/)
  })

  it('what a visitor writes into forwarded headers is not believed', async () => {
    const forged = { 'x-forwarded-proto': 'http', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
    const visitor = new Visitor(balancer)
    expect((await visitor.open('/', forged)).cookies.join()).toContain('__Host-')
    const token = tokenIn((await visitor.open('/')).body)
    const evil = { ...forged, origin: 'http://evil.example' }
    expect((await visitor.submit('/cart', { _csrf: token, item: 'x' }, evil)).status).toBe(403)
  })

  it('plain HTTP leads to HTTPS', async () => {
    const answer = await fetch(`http://127.0.0.1:${balancer.plain}/cart?x`, { redirect: 'manual', method: 'POST' })
    expect([answer.status, answer.headers.get('location')]).toEqual([308, `https://127.0.0.1:${balancer.plain}/cart?x`])
  })

  it('a server that leaves is left: nobody notices', async () => {
    const visitor = new Visitor(balancer)
    const leaving = servers[0]!
    leaving.child.kill('SIGTERM')
    const gone = once(leaving.child, 'exit')
    const statuses = new Set<number>()
    for (let over = false; !over; over = (await Promise.race([gone, wait(20, false)])) !== false) {
      const { status, body } = await visitor.open('/')
      statuses.add(status)
      statuses.add((await visitor.submit('/cart', { _csrf: tokenIn(body), item: 'tea' })).status)
    }
    expect(statuses).toEqual(new Set([200, 302]))
  })

  it('a server that is killed costs nobody the session, nor an answer', async () => {
    const back = await startServer(servers[0]!.port)
    await balancer.serving(2)
    const visitor = new Visitor(balancer)
    const token = tokenIn((await visitor.open('/')).body)
    back.child.kill('SIGKILL')
    await once(back.child, 'exit')
    for (let at = 0; at < 4; at++) {
      expect((await visitor.submit('/cart', { _csrf: token, item: 'tea' })).status).toBe(302)
      expect((await visitor.open('/')).body).toContain(`cart: ${at + 1}<`)
    }
  })
})

describe('a server that takes a request and dies', () => {
  it('is asked nothing twice that may have changed something; what only reads goes to the other', async () => {
    const arrived: string[] = []
    const dying = await stub((method) => {
      arrived.push(method)
      return 'dies'
    })
    const living = await stub((method) => {
      arrived.push(method)
      return 'answers'
    })
    const balancer = await startBalancer([portOf(dying), portOf(living)])
    const visitor = new Visitor(balancer)
    const reads = await inTurn(10, () => visitor.open('/'))
    expect(reads.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200))
    arrived.length = 0
    const writes = await inTurn(10, () => visitor.submit('/', {}))
    expect(writes.map(({ status }) => status)).toContain(502)
    expect(arrived).toHaveLength(10)
    dying.close()
    living.close()
  })
})

it('the document shows the application as it is run', () => {
  const run = readFileSync(new URL('../../examples/balanced.ts', import.meta.url), 'utf8')
  expect(DOCUMENT).toContain(`\`\`\`ts\n${run}\`\`\`\n`)
})

const nginx = ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/sbin/nginx'].filter(existsSync).slice(0, 1)
if (nginx.length === 0) console.log('There is no nginx: its configuration is not tried.')

it.each(nginx)('%s takes its configuration too', (program) => {
  const [, text = ''] = /```nginx\n([^]*?)```/.exec(DOCUMENT) ?? []
  const files = text.replace('/etc/nginx/shop.pem', certificates.cert).replace('/etc/nginx/shop.key', certificates.key)
  const file = path.join(folder, 'nginx.conf')
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const here = kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};\n`).join('')
  writeFileSync(file, `pid ${folder}/nginx.pid;\nevents {}\nhttp {\n${here}access_log off;\n${files}}\n`)
  execFileSync(program, ['-t', '-p', folder, '-c', file], { stdio: 'pipe' })
})

interface Balancer {
  readonly port: number
  readonly plain: number
  /** How many requests each server was given. */
  shares(): Promise<number[]>
  /** Settles when so many servers are up. */
  serving(count: number): Promise<void>
}

/** The configuration of the document, on free ports, with these servers. A socket for its figures is all that is added. */
async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const [port, plain] = [await freePort(), await freePort()]
  const socket = path.join(folder, `${port}.sock`)
  let [, config = ''] = /```haproxy\n([^]*?)```/.exec(DOCUMENT) ?? []
  const replacements: [string, string][] = [
    ['maxconn 4096', `maxconn 4096\n  stats socket ${socket}`],
    ['bind :80\n', `bind 127.0.0.1:${plain}\n`],
    ['bind :443 ', `bind 127.0.0.1:${port} `],
    ['/etc/haproxy/shop.pem', certificates.both],
    ['10.0.0.11:3000', `127.0.0.1:${ports[0]}`],
    ['10.0.0.12:3000', `127.0.0.1:${ports[1]}`],
  ]
  for (const [from, to] of replacements) {
    expect(config).toContain(from)
    config = config.replace(from, to)
  }
  const file = path.join(folder, `${port}.cfg`)
  writeFileSync(file, config)
  const haproxy = findHaproxy() ?? 'haproxy'
  execFileSync(haproxy, ['-c', '-f', file], { stdio: 'pipe' })
  start(spawn(haproxy, ['-db', '-f', file], { stdio: 'ignore' }))
  const rows = async (): Promise<string[][]> => {
    const lines = (await ask(socket, 'show stat\n')).split('\n').map((line) => line.split(','))
    return lines.filter(([backend, server]) => backend === 'servers' && server !== 'BACKEND')
  }
  const serving = async (count: number): Promise<void> => {
    await until(async () => (await rows()).filter((row) => row[17] === 'UP').length === count)
  }
  await until(async () => (await ask(socket, 'show info\n')) !== '')
  await serving(ports.length)
  return { port, plain, serving, shares: async () => (await rows()).map((row) => Number(row[7])) }
}

interface Answered {
  readonly status: number
  readonly location: string | undefined
  readonly cookies: readonly string[]
  readonly body: string
}

/** A browser that knows the site as https://shop.example. */
class Visitor {
  readonly #jar = new CookieJar()
  readonly #balancer: Balancer

  constructor(balancer: Balancer) {
    this.#balancer = balancer
  }

  open(target: string, headers: Record<string, string> = {}): Promise<Answered> {
    return this.#send('GET', target, headers)
  }

  submit(target: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Answered> {
    const form = { origin: 'https://shop.example', 'content-type': 'application/x-www-form-urlencoded' }
    return this.#send('POST', target, { ...form, ...headers }, new URLSearchParams(fields).toString())
  }

  async #send(method: string, target: string, headers: Record<string, string>, body?: string): Promise<Answered> {
    const url = `https://shop.example${target}`
    const cookie = await this.#jar.getCookieString(url)
    const call = httpsRequest({
      host: '127.0.0.1',
      port: this.#balancer.port,
      servername: 'shop.example',
      ca: readFileSync(certificates.ca),
      method,
      path: target,
      agent: false,
      headers: { host: 'shop.example', ...(cookie === '' ? {} : { cookie }), ...headers },
    })
    call.end(body)
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    const cookies = response.headers['set-cookie'] ?? []
    for (const line of cookies) await this.#jar.setCookie(line, url)
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
    return { status: response.statusCode ?? 0, location: response.headers.location, cookies, body: text }
  }
}

async function startServer(port = 0): Promise<{ child: ChildProcess; port: number }> {
  const program = fileURLToPath(new URL('../../build/examples/balanced.js', import.meta.url))
  const settings = { SESSION_SECRET: 'x'.repeat(32), SESSION_STORE: redis.url, NODE_ENV: 'production' }
  const env = { ...process.env, ...settings, HOST: '127.0.0.1', PORT: String(port) }
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  start(child)
  const [printed] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, port: Number(/:(\d+)\s*$/.exec(printed.toString())?.[1]) }
}

/** A server that answers its health check, and other requests or not. */
async function stub(fate: (method: string) => 'answers' | 'dies'): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === '/healthy' || fate(request.method ?? '') === 'answers') response.end()
    else request.socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port
}

function tokenIn(page: string): string {
  return /name="_csrf" value="([^"]+)"/.exec(page)?.[1] ?? ''
}

async function inTurn<Result>(count: number, act: () => Promise<Result>): Promise<Result[]> {
  const results: Result[] = []
  while (results.length < count) results.push(await act())
  return results
}

function start(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
}

async function end(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** What HAProxy's socket answers; nothing while it is not there. */
async function ask(socket: string, command: string): Promise<string> {
  const line = connect(socket)
  let answer = ''
  line.setEncoding('utf8').on('data', (text: string) => (answer += text))
  line.write(command)
  await once(line, 'close').catch(() => undefined)
  return answer
}

async function until(met: () => Promise<boolean>, within = 20_000): Promise<void> {
  const deadline = performance.now() + within
  while (!(await met())) {
    if (performance.now() > deadline) throw new Error('it did not come about')
    await wait(50)
  }
}
