/** The load as autocannon makes it, in a process of its own: takes it as JSON from its input, tells what came of it. */
import { text } from 'node:stream/consumers'

import { loadPeer } from '../proof/peers.ts'
import type { Load, Served } from './load.ts'
import type { Request } from './request.ts'

interface Client {
  setRequests(requests: readonly Request[]): void
}

interface Result {
  readonly requests: { readonly average: number; readonly total: number }
  readonly latency: { readonly p50: number; readonly p99: number }
  readonly non2xx: number
  readonly errors: number
}

type Autocannon = (options: object) => Promise<Result>

const load = JSON.parse(await text(process.stdin)) as Load
process.stdout.write(JSON.stringify(await serveByAutocannon(load)))

async function serveByAutocannon({ url, requests, seconds, connections }: Load): Promise<Served> {
  const { default: autocannon } = await loadPeer<{ default: Autocannon }>('autocannon', 'bench')
  let clients = 0
  // Each connection begins with another request, so that they do not all send the same visitor's.
  const setupClient = (client: Client): void => {
    const first = Math.floor((clients++ * requests.length) / connections)
    client.setRequests([...requests.slice(first), ...requests.slice(0, first)])
  }
  const result = await autocannon({ url, connections, duration: seconds, requests, setupClient })
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`autocannon on ${url}: ${result.non2xx} not 2xx, ${result.errors} errors`)
  return {
    requests: result.requests.total,
    rate: result.requests.average,
    p50: result.latency.p50,
    p99: result.latency.p99,
  }
}
