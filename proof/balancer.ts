/** HAProxy before the servers, one request to each in turn. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'

import { endHaproxy, findHaproxy, listeningHaproxy } from '../examples/transfer/balancer/haproxy.ts'
import { freePort } from '../test/support/redis-server.ts'

export interface Balancer {
  readonly origin: string
  close(): Promise<void>
}

/**
 * What is sent again to the next server. `unanswered`: what one did not answer because it died, submissions too, as a
 * browser or a careless proxy does, and the end of a cycle has to bear. `unsent`: only what did not reach it.
 */
export type Again = 'unanswered' | 'unsent'

/** `connections`: whether those to the servers serve one request each, or are kept for the next one, whosever it is. */
export async function startBalancer(
  servers: readonly number[],
  folder: string,
  connections: 'closed' | 'kept',
  again: Again = 'unanswered',
): Promise<Balancer> {
  const program = findHaproxy()
  if (program === undefined) throw new Error('HAProxy is not installed: sudo apt-get install haproxy')
  const port = await freePort()
  const file = path.join(folder, 'haproxy.cfg')
  writeFileSync(file, configuration(port, servers, connections, again))
  const haproxy = spawn(program, ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  const lastResort = (): void => void haproxy.kill('SIGKILL')
  process.once('exit', lastResort)
  await listeningHaproxy(haproxy, port)
  return {
    origin: `http://127.0.0.1:${port}`,
    close: async () => {
      process.removeListener('exit', lastResort)
      await endHaproxy(haproxy)
    },
  }
}

function configuration(port: number, servers: readonly number[], connections: 'closed' | 'kept', again: Again): string {
  const lines = servers.map((server, at) => `  server ${'ABCD'[at]} 127.0.0.1:${server}`)
  return `
global
  maxconn 1024
  nbthread 1

defaults
  mode http
  option ${connections === 'closed' ? 'http-server-close' : 'http-keep-alive'}
  option redispatch 1
  retries 3
  retry-on conn-failure${again === 'unanswered' ? ' empty-response' : ''}
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout queue 2s
  default-server check inter 100ms fall 1 rise 1

frontend visitors
  bind 127.0.0.1:${port}
  default_backend servers

backend servers
  balance roundrobin
${lines.join('\n')}
`
}
