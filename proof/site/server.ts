/** One server process of the proof: takes its settings as JSON, tells its parent what happens, ends with it. */
import diagnostics from 'node:diagnostics_channel'

import type { FromSite, SiteSettings, ToSite } from './settings.ts'

/** A server that accepts requests. */
export interface Settled {
  close(): Promise<void>
}

/** What the checker wants to know of. */
const CHANNELS = ['lost', 'replaced', 'breaker', 'end', 'collision', 'theft', 'unreadable', 'ambiguous'] as const

const settings = JSON.parse(process.argv[2] ?? '{}') as SiteSettings
/** What is reported after the parent has gone is for nobody. */
const tell = (said: FromSite): void => {
  if (process.connected) process.send?.(said)
}

setClock()
for (const name of CHANNELS)
  diagnostics.subscribe(`holdfast:${name}`, (detail) => tell({ channel: `holdfast:${name}`, detail: plain(detail) }))
const server = await serve()
tell({ port: settings.port })
process.once('disconnect', () => {
  void server.close().finally(() => process.exit(0))
})

/** Each product is loaded only into its own processes. */
async function serve(): Promise<Settled> {
  if (settings.target === 'holdfast') return (await import('./holdfast.ts')).serveHoldfast(settings)
  if (settings.target === 'express-session') return (await import('./express-session.ts')).serveExpressSession(settings)
  return (await import('./fastify-session.ts')).serveFastifySession(settings)
}

/** A clock that the deployment may set: what the process takes for the time of day. */
function setClock(): void {
  const machine = Date.now
  let ahead = 0
  Date.now = () => machine() + ahead
  process.on('message', ({ clock }: ToSite) => void (ahead = clock))
}

/** Errors do not go through IPC whole. */
function plain(detail: unknown): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(detail as object).map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  )
}
