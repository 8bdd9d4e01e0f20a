import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

import { afterEach, describe, expect, it } from 'vitest'

import { rawOf } from '../../bench/request.ts'
import { serveAtRate } from '../../bench/steady-load.ts'

let server: Server | undefined

afterEach(() => {
  server?.close()
  server?.closeAllConnections()
})

async function portOf(listener: RequestListener): Promise<number> {
  server = createServer(listener)
  await new Promise<void>((resolve) => void server?.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const requests = ['/first', '/second'].map((path) => rawOf({ method: 'GET', path, headers: { host: 'shop.example' } }))

describe('the load at a constant rate', () => {
  it('sends as many requests as are due, in turn, and answers how long each took', async () => {
    const paths: (string | undefined)[] = []
    const port = await portOf((request, response) => {
      paths.push(request.url)
      response.end('served')
    })
    const { latencies } = await serveAtRate({ port, requests, rate: 200, seconds: 0.5, connections: 2 })
    expect(latencies).toHaveLength(100)
    expect(Math.min(...latencies)).toBeGreaterThan(0)
    expect(paths.filter((path) => path === '/first')).toHaveLength(50)
  })

  it('counts what waited behind a server that stood still from the moment when it was due', async () => {
    let asked = 0
    const port = await portOf((_request, response) => {
      if (++asked !== 20) return void response.end('served')
      const until = performance.now() + 400
      while (performance.now() < until);
      response.end('served')
    })
    const { latencies } = await serveAtRate({ port, requests, rate: 200, seconds: 1, connections: 4 })
    // 60 were due in its first 300 ms. A client that waits for its answers would have seen four of them.
    expect(latencies.filter((latency) => latency >= 100).length).toBeGreaterThanOrEqual(55)
  })

  it('reads answers in chunks as well', async () => {
    const port = await portOf((_request, response) => {
      response.write('in ')
      void wait(1).then(() => response.end('chunks'))
    })
    const { latencies } = await serveAtRate({ port, requests, rate: 100, seconds: 0.2, connections: 2 })
    expect(latencies).toHaveLength(20)
  })

  it('fails on an answer that is no success', async () => {
    const port = await portOf((_request, response) => void response.writeHead(503).end())
    await expect(serveAtRate({ port, requests, rate: 100, seconds: 0.2, connections: 2 })).rejects.toThrow('503')
  })

  it('fails where a connection is closed instead of answered', async () => {
    const port = await portOf((request) => void request.socket.destroy())
    await expect(serveAtRate({ port, requests, rate: 100, seconds: 0.2, connections: 2 })).rejects.toThrow(
      'closed a connection',
    )
  })
})
