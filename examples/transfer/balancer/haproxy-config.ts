/** HAProxy's configuration: one frontend, and for each world a backend that alternates for itself. */
import { SERVER_NAMES, WORLDS, type World } from '../worlds.ts'
import { PIN_COOKIE, type Plan } from './plan.ts'
import type { SorryPages } from './sorry.ts'

/** `sorry`: files with the pages for 502 and 503. */
export function haproxyConfig(plan: Plan, sorry: SorryPages): string {
  return [GLOBAL, defaults(sorry), frontend(plan), control(plan), ...Object.values(WORLDS).map(backend(plan))].join(
    '\n',
  )
}

/** One thread: with several, each alternates for itself. */
const GLOBAL = `
global
  maxconn 512
  nbthread 1
`

/**
 * A connection to a server is used for one request (`http-server-close`), so a dead server shows as a refused
 * connection, which is tried again on the other one. What may have reached a server is repeated for GET and HEAD only.
 */
function defaults(sorry: SorryPages): string {
  return `
defaults
  mode http
  option http-server-close
  option redispatch 1
  retries 3
  retry-on conn-failure empty-response
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout queue 2s
  default-server check inter 100ms fall 1 rise 1
  http-error status 502 content-type "text/html; charset=utf-8" file "${sorry.interrupted}" hdr cache-control no-store
  http-error status 503 content-type "text/html; charset=utf-8" file "${sorry.nobody}" hdr cache-control no-store
`
}

/** What a browser fetches ahead of a visit would take a turn that nobody sees. */
function frontend(plan: Plan): string {
  const bind = plan.hosts.map((host) => `  bind ${host.includes(':') ? `[${host}]` : host}:${plan.port}`)
  const worlds = Object.keys(WORLDS).map((id) => `  use_backend ${id} if { path_beg /${id}/ }`)
  return `
frontend visitors
${bind.join('\n')}
  http-request return status 503 if { req.hdr(sec-purpose) -m sub prefetch }
  http-request redirect code 302 location /${plan.world}/ if { path / }
  use_backend control if { path_beg /control/ }
${worlds.join('\n')}
  default_backend nowhere

backend nowhere
  http-request return status 404 content-type text/plain string "There is nothing here."
`
}

/** A page that is left lets go of its stream of events at once. */
function control(plan: Plan): string {
  return `
backend control
  option abortonclose
  server launcher 127.0.0.1:${plan.control} no-check
`
}

/** `static-rr`: with `roundrobin`, a server that comes back is given several turns in a row to catch up. */
function backend(plan: Plan): (world: World) => string {
  return (world) => {
    const pins = world.balancing === 'pins'
    const servers = SERVER_NAMES.map(
      (name) => `  server ${name} 127.0.0.1:${plan.servers[name]}${pins ? ` cookie ${name}` : ''}`,
    )
    return `
backend ${world.id}
  balance static-rr
  http-request disable-l7-retry unless METH_GET
${pins ? `  cookie ${PIN_COOKIE} insert indirect nocache httponly\n` : ''}${servers.join('\n')}
`
  }
}
