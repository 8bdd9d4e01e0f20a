/** What both balancers promise, HAProxy and the built-in one, shown on servers that do as they are told. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http, { type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

type Name = 'A' | 'B'

/** Longer than the balancers need to see that a server came or went. */
const NOTICED = 400

/** A server that says its name and what it got; `/…/die` it answers by dying. */
class Echo {
  readonly name: string
  readonly port: number
  requests = 0
  #server: http.Server | undefined

  private constructor(name: string, port: number) {
    this.name = name
    this.port = port
  }

  static async start(name: string): Promise<Echo> {
    const probe = http.createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    await new Promise((resolve) => probe.close(resolve))
    const echo = new Echo(name, port)
    await echo.begin()
    return echo
  }

  async begin(): Promise<void> {
    this.#server = http.createServer((request, response) => {
      this.requests++
      if (request.url?.endsWith('/die')) request.socket.destroy()
      else request.pipe(response.setHeader('server-name', this.name).setHeader('set-cookie', ['one=1', 'two=2']))
    })
    this.#server.listen(this.port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server?.listening !== true) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

interface Reply {
  readonly status: number
  readonly server: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

describe.each(['haproxy', 'built-in'] as const)('the balancer (%s)', (kind) => {
  let servers: Record<Name, Echo>
  let control: Echo
  let balancer: ChildProcess
  let port: number
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-balancer-'))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

  beforeEach(async () => {
    servers = { A: await Echo.start('A'), B: await Echo.start('B') }
    control = await Echo.start('control')
    const spare = await Echo.start('spare')
    port = spare.port
    await spare.stop()
    balancer = fork(new URL('../../build/examples/transfer/balancer/main.js', import.meta.url))
    const ports = { A: servers.A.port, B: servers.B.port }
    const plan = { port, hosts: ['127.0.0.1'], servers: ports, control: control.port, world: 'sticky' }
    balancer.send({ plan, kind, folder })
    const [news] = (await once(balancer, 'message')) as [object]
    if (!('listening' in news)) throw new Error(JSON.stringify(news))
  })

  afterEach(async () => {
    balancer.kill('SIGTERM')
    await once(balancer, 'exit')
    await Promise.all([servers.A.stop(), servers.B.stop(), control.stop()])
    rmSync(folder, { recursive: true, force: true })
  })

  /** One request, always over the same connection. */
  async function ask(target: string, options: http.RequestOptions = {}, body?: string): Promise<Reply> {
    const request = http.request({ port, host: '127.0.0.1', path: target, agent, ...options })
    request.end(body)
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    const { statusCode: status = 0, headers } = response
    return { status, headers, server: headers['server-name'] as string | undefined, body: await text(response) }
  }

  async function askOften(times: number, target: string): Promise<string> {
    let answered = ''
    for (let at = 0; at < times; at++) answered += (await ask(target)).server ?? '-'
    return answered
  }

  it('gives every request to the other server, also on one connection', async () => {
    expect(await askOften(10, '/shared/')).toMatch(/^(?:(?:AB){5}|(?:BA){5})$/)
  })

  it('keeps a turn for each world, and takes none for what is no page', async () => {
    const [first] = await askOften(1, '/shared/')
    await askOften(3, '/memory/')
    await ask('/control/events')
    await ask('/favicon.ico')
    await ask('/shared/', { headers: { 'sec-purpose': 'prefetch;prerender' } })
    await ask('/')
    expect(await askOften(1, '/shared/')).toBe(first === 'A' ? 'B' : 'A')
  })

  it('leads / to the first world, /control/ to the launcher, and the rest nowhere', async () => {
    expect(await ask('/')).toMatchObject({ status: 302, headers: { location: '/sticky/' } })
    expect((await ask('/control/kill', { method: 'POST' }, 'server=A')).server).toBe('control')
    expect((await ask('/elsewhere')).status).toBe(404)
  })

  it('hands bodies and every cookie on, unchanged', async () => {
    const body = 'x'.repeat(1_000_000)
    const reply = await ask('/shared/', { method: 'POST' }, body)
    expect(reply.body).toBe(body)
    expect(reply.headers['set-cookie']).toEqual(['one=1', 'two=2'])
  })

  it('pins in the sticky world, until that server is down', async () => {
    const first = await ask('/sticky/')
    const pinned = first.server as Name
    const cookie = first.headers['set-cookie']?.find((line) => line.startsWith('pinned-to='))?.split(';')[0] ?? ''
    const visit = (): Promise<Reply> => ask('/sticky/', { headers: { cookie } })
    for (let at = 0; at < 4; at++) expect((await visit()).server).toBe(pinned)
    await servers[pinned].stop()
    const moved = await visit()
    expect(moved.server).toBe(pinned === 'A' ? 'B' : 'A')
    expect(String(moved.headers['set-cookie'])).toContain(`pinned-to=${moved.server}`)
  })

  it('gives what never reached a dead server to the other one, submissions too', async () => {
    await servers.A.stop()
    for (let at = 0; at < 4; at++) {
      const reply = await ask('/shared/', { method: 'POST' }, `submission ${at}`)
      expect(reply).toMatchObject({ status: 200, server: 'B', body: `submission ${at}` })
    }
  })

  it('alternates strictly again once a server is back', async () => {
    for (const name of ['A', 'B'] as const) {
      await servers[name].stop()
      await askOften(5, '/shared/')
      await pause(NOTICED)
      await servers[name].begin()
      await pause(NOTICED)
      expect(await askOften(6, '/shared/')).toMatch(/^(?:(?:AB){3}|(?:BA){3})$/)
    }
  })

  it('never repeats a submission that a server may have acted on', async () => {
    const reply = await ask('/shared/die', { method: 'POST' }, 'money')
    expect(reply.status).toBe(502)
    expect(reply.body).toContain('is not known here')
    expect(servers.A.requests + servers.B.requests).toBe(1)
  })

  it('asks the other server where a reading request was cut off', async () => {
    await ask('/shared/die')
    expect([servers.A.requests, servers.B.requests]).toEqual([expect.toSatisfy(positive), expect.toSatisfy(positive)])
  })

  it('says so when both servers are down', async () => {
    await Promise.all([servers.A.stop(), servers.B.stop()])
    await pause(NOTICED)
    const reply = await ask('/shared/')
    expect(reply.status).toBe(503)
    expect(reply.body).toContain('Both servers are down')
  })
})

function positive(count: unknown): boolean {
  return typeof count === 'number' && count > 0
}
