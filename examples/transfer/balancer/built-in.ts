/** The balancer for machines without HAProxy: alternates strictly, passes over servers that are down. */
import http, { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'

import { WORLDS, type ServerName, type World, type WorldId } from '../worlds.ts'
import { forward, hasBody, type Forwarded } from './forward.ts'
import { destinationOf, isPinned, PIN_COOKIE, type Plan } from './plan.ts'
import { SORRY } from './sorry.ts'
import { Turns } from './turns.ts'

/** One server for each address; they share whose turn it is. */
export async function startBuiltIn(plan: Plan): Promise<http.Server[]> {
  const turns = {
    memory: new Turns(WORLDS.memory),
    sticky: new Turns(WORLDS.sticky),
    shared: new Turns(WORLDS.shared),
  } satisfies Record<WorldId, Turns>
  const servers = plan.hosts.map(() =>
    http.createServer((request, response) => {
      void serve(plan, turns, request, response).catch(() => response.destroy())
    }),
  )
  await Promise.all(servers.map((server, at) => listening(server, plan.port, plan.hosts[at] ?? '127.0.0.1')))
  return servers
}

async function serve(
  plan: Plan,
  turns: Record<WorldId, Turns>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // What a browser fetches ahead of a visit would take a turn that nobody sees.
  if (String(request.headers['sec-purpose'] ?? '').includes('prefetch')) return say(response, 503, SORRY.nobody)
  const destination = destinationOf(new URL(request.url ?? '/', 'http://localhost').pathname)
  if (destination === 'start') return void response.writeHead(302, { location: `/${plan.world}/` }).end()
  if (destination === 'nowhere') return say(response, 404, 'There is nothing here.')
  if (destination === 'control') return finish(response, await forward(request, response, plan.control))
  finish(response, await balance(plan, destination, turns[destination.id], request, response))
}

/** Tries the servers in turn. A request that may have reached one goes to the next only when repeating it does no harm. */
async function balance(
  plan: Plan,
  world: World,
  turns: Turns,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Forwarded> {
  const pinned = pinOf(request)
  let outcome: Forwarded = 'unreached'
  for (const name of turns.order(pinned)) {
    turns.took(name)
    outcome = await forward(request, response, plan.servers[name], pinTo(world, name, pinned))
    if (outcome === 'answered' || (outcome === 'interrupted' && !isRepeatable(request))) return outcome
  }
  return outcome
}

function pinOf(request: IncomingMessage): ServerName | undefined {
  const value = request.headers.cookie
    ?.split(/;\s*/)
    .find((pair) => pair.startsWith(`${PIN_COOKIE}=`))
    ?.slice(PIN_COOKIE.length + 1)
  return isPinned(value) ? value : undefined
}

function pinTo(world: World, name: ServerName, pinned: ServerName | undefined): OutgoingHttpHeaders {
  if (world.balancing !== 'pins' || name === pinned) return {}
  return { 'set-cookie': `${PIN_COOKIE}=${name}; path=/; HttpOnly` }
}

/** Whether asking twice does no harm. */
function isRepeatable(request: IncomingMessage): boolean {
  return (request.method === 'GET' || request.method === 'HEAD') && !hasBody(request)
}

function finish(response: ServerResponse, outcome: Forwarded): void {
  if (outcome === 'answered') return
  if (outcome === 'unreached') return say(response, 503, SORRY.nobody)
  say(response, 502, SORRY.interrupted)
}

function say(response: ServerResponse, status: number, text: string): void {
  const type = text.startsWith('<!doctype') ? 'text/html' : 'text/plain'
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' }).end(text)
}

function listening(server: http.Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, resolve)
  })
}
