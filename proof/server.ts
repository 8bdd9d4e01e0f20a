/** One server process of the races: takes its set-up as JSON, tells its parent the port, ends with its parent. */
import type { ExpressSessionSetup } from './app/express-session.ts'
import type { HoldfastSetup } from './app/holdfast.ts'
import type { Listening } from './app/listening.ts'

const server = await serve(JSON.parse(process.argv[2] ?? '{}') as HoldfastSetup | ExpressSessionSetup)

process.once('disconnect', () => {
  void server.close().finally(() => process.exit(0))
})
process.on('message', (message) => {
  if (message === 'memory') process.send?.({ memory: process.memoryUsage.rss() })
})
process.send?.({ port: server.port })

/** Each product is loaded only into its own processes. */
async function serve(setup: HoldfastSetup | ExpressSessionSetup): Promise<Listening> {
  if (setup.kind === 'holdfast') return (await import('./app/holdfast.ts')).serveHoldfast(setup)
  return (await import('./app/express-session.ts')).serveExpressSession(setup)
}
