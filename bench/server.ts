/**
 * One server process of the benchmarks: takes its set-up as JSON, tells its parent the port and, whenever it is
 * asked, the processor time that it has used so far; ends with its parent.
 */
import type { Setup } from './app/setup.ts'

const setup = JSON.parse(process.argv[2] ?? '{}') as Setup
const listen =
  setup.framework === 'fastify'
    ? (await import('./app/fastify.ts')).listenOnFastify
    : (await import('./app/express.ts')).listenOnExpress
const port = await listen(setup)
// Nothing is kept that a later run would need.
process.once('disconnect', () => process.exit(0))
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ used: user + system })
})
process.send?.({ port })
