/** One server process of the benchmarks: takes its set-up as JSON, tells its parent the port, ends with its parent. */
import type { Setup } from './app/setup.ts'

const setup = JSON.parse(process.argv[2] ?? '{}') as Setup
const listen =
  setup.framework === 'fastify'
    ? (await import('./app/fastify.ts')).listenOnFastify
    : (await import('./app/express.ts')).listenOnExpress
const port = await listen(setup)
// Nothing is kept that a later run would need.
process.once('disconnect', () => process.exit(0))
process.send?.({ port })
