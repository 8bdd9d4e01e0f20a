/** One server process of the proof: takes its settings as JSON, tells its parent what happens, ends with it. */
import diagnostics from 'node:diagnostics_channel'

import type { FromSite, SiteSettings, ToSite } from './settings.ts'

/** A server that accepts requests. */
export interface Settled {
  close(): Promise<void>
}

/** All channels but those that tell what visitors have asked for (`lifecycle`), and of old sessions (`adoption`). */
const CHANNELS = [
  'lost',
  'replaced',
  'end',
  'cycle',
  'commit',
  'dropped',
  'conflict',
  'theft',
  'unreadable',
  'ambiguous',
  'collision',
  'cookie',
  'csrf',
  'store',
  'breaker',
] as const

const settings = JSON.parse(process.argv[2] ?? '{}') as SiteSettings
/** What is reported after the parent has gone is for nobody. */
const tell = (said: FromSite): void => {
  // It may go at this very moment: an error that is answered is not emitted.
  if (process.connected) process.send?.(said, () => undefined)
}

setClock()
for (const name of CHANNELS)
  diagnostics.subscribe(`holdfast:${name}`, (message) => {
    const detail = plain(message)
    if (!isUsual(name, detail)) tell({ channel: `holdfast:${name}`, detail })
  })
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

/** What every change and every cycle tells. */
function isUsual(name: (typeof CHANNELS)[number], { durable, what }: Readonly<Record<string, unknown>>): boolean {
  return (name === 'commit' && durable === true) || (name === 'cycle' && what === 'done')
}

/** Errors do not go through IPC whole. */
function plain(detail: unknown): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(detail as object).map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  )
}
