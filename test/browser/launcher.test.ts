/** What `npm start` does on the terminal, and what it leaves behind: nothing. */
import { existsSync } from 'node:fs'
import http from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import { describe, expect, it } from 'vitest'

import { descendants, isAlive, runLauncher, startDemonstration, until } from './demonstration.ts'

const BALANCERS = ['haproxy', 'built-in'] as const

describe.concurrent.each(BALANCERS)('with the balancer %s', (balancer) => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s stops every process and leaves no file', async (signal) => {
    await using demonstration = await startDemonstration('--balancer', balancer)
    const pids = descendants(Number(demonstration.process.pid))
    expect(pids.length).toBe(balancer === 'haproxy' ? 4 : 3)
    const { folder } = demonstration
    expect(existsSync(folder)).toBe(true)
    await demonstration.stop(signal)
    expect(demonstration.process.exitCode).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])
    expect(existsSync(folder)).toBe(false)
  })

  it('every process goes by itself when the launcher is killed', async () => {
    await using demonstration = await startDemonstration('--balancer', balancer)
    const pids = descendants(Number(demonstration.process.pid))
    await demonstration.stop('SIGKILL')
    await until(() => pids.every((pid) => !isAlive(pid)))
    const { folder } = demonstration
    await using next = await startDemonstration('--balancer', balancer)
    expect({ next: next.url !== '', left: existsSync(folder) }).toEqual({ next: true, left: false })
  })
})

describe.concurrent('the two servers', () => {
  it('are processes of their own, and a killed one comes back as another', async () => {
    await using demonstration = await startDemonstration()
    const [, pid] = /server A +process (\d+)/.exec(demonstration.output()) ?? []
    process.kill(Number(pid), 'SIGKILL')
    await demonstration.says('Server A is dead')
    await demonstration.says(/Server A is back, as process \d+/)
    expect(demonstration.output()).not.toContain(`is back, as process ${pid}.`)
  })

  it('can be killed from their own page only', async () => {
    await using demonstration = await startDemonstration()
    const kill = (headers: Record<string, string>): Promise<number> =>
      fetch(`${demonstration.url}/control/kill`, { method: 'POST', headers, body: 'server=A' }).then(
        ({ status }) => status,
      )
    expect(await kill({})).toBe(403)
    expect(await kill({ origin: 'https://elsewhere.example' })).toBe(403)
    expect(await kill({ origin: demonstration.url, accept: 'application/json' })).toBe(204)
  })
})

describe('the command line', () => {
  it('takes another port where one is in use, and says so', async () => {
    const taken = http.createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    await using launcher = runLauncher('--port', String(port))
    await launcher.says(`Port ${port} is in use by another program; taking `)
    await launcher.says('Open ')
    expect(launcher.output()).not.toContain(`http://localhost:${port}\n`)
    taken.close()
  })

  it('lets the visit begin in another world', async () => {
    await using demonstration = await startDemonstration('--world', 'memory')
    const answer = await fetch(demonstration.url, { redirect: 'manual' })
    expect(answer.headers.get('location')).toBe('/memory/')
  })

  it.each([
    [['--world', 'none'], "There is no world 'none'."],
    [['--port', 'http'], "'http' is not a port."],
    [['--balancer', 'none'], "There is no balancer 'none'."],
    [['--prot', '1'], "Unknown option '--prot'"],
  ])('explains what is wrong with %j', async (args, complaint) => {
    await using launcher = runLauncher(...args)
    await once(launcher.process, 'close')
    expect(launcher.process.exitCode).toBe(2)
    expect(launcher.output()).toContain(complaint)
    expect(launcher.output()).toContain('Usage: npm start')
  })

  it('shows its page within five seconds', async () => {
    const begun = performance.now()
    await using demonstration = await startDemonstration()
    expect((await fetch(`${demonstration.url}/shared/`)).status).toBe(200)
    expect(performance.now() - begun).toBeLessThan(5000)
  })
})
