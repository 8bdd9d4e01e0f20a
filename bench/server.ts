/**
 * A server of the benchmarks, of one process or of several: takes its set-up as JSON, tells its parent the port and,
 * whenever it is asked, what its processes have used so far; ends with its parent. Several processes are those of
 * node:cluster, whose primary deals out connections in turn and sees nothing of the requests.
 */
import cluster, { type Worker } from 'node:cluster'

import type { Listen, Setup } from './app/setup.ts'

export interface ServerSetup extends Setup {
  readonly processes: number
}

/** What the processes of a server have used together. */
export interface Used {
  /** Microseconds of processor time since the start. */
  readonly processor: number
  /** Bytes: V8's heap and what is kept outside of it, after a collection where one can be asked for. */
  readonly kept: number
  /** Bytes that the system has given. */
  readonly resident: number
  /** What Holdfast's near cache counts: sessions and bytes. */
  readonly near: { readonly entries: number; readonly bytes: number }
}

const LISTEN: Readonly<Record<Setup['framework'], () => Promise<Listen>>> = {
  express: async () => (await import('./app/express.ts')).listenOnExpress,
  fastify: async () => (await import('./app/fastify.ts')).listenOnFastify,
  koa: async () => (await import('./app/koa.ts')).listenOnKoa,
  hono: async () => (await import('./app/hono.ts')).listenOnHono,
}

const NO_CACHE: Used['near'] = { entries: 0, bytes: 0 }
let nearHere = (): Used['near'] => NO_CACHE

const setup = JSON.parse(process.argv[2] ?? '{}') as ServerSetup
// Nothing is kept that a later run would need.
process.once('disconnect', () => process.exit(0))
if (cluster.isPrimary && setup.processes > 1) await several(setup.processes)
else await single()

async function single(): Promise<void> {
  const listen = await LISTEN[setup.framework]()
  if (setup.sessions === 'holdfast') {
    const { nearCacheStats } = await import('./app/holdfast.ts')
    nearHere = () => nearCacheStats() ?? NO_CACHE
  }
  const port = await listen(setup)
  process.on('message', () => process.send?.(usedHere()))
  process.send?.({ port })
}

async function several(count: number): Promise<void> {
  // In turn, so that each has as many connections. The system alone would give some of them twice as many as others.
  cluster.schedulingPolicy = cluster.SCHED_RR
  const workers = Array.from({ length: count }, () => cluster.fork())
  for (const worker of workers)
    worker.once('exit', (code) => process.exit(worker.exitedAfterDisconnect ? 0 : (code ?? 1)))
  const [first] = await Promise.all(workers.map((worker) => answerOf<{ port: number }>(worker)))
  process.on('message', () => void tellUsed(workers))
  process.send?.(first)
}

async function tellUsed(workers: readonly Worker[]): Promise<void> {
  const answers = workers.map((worker) => {
    const answer = answerOf<Used>(worker)
    worker.send('used')
    return answer
  })
  process.send?.([usedHere(), ...(await Promise.all(answers))].reduce(sum))
}

function answerOf<Message>(worker: Worker): Promise<Message> {
  return new Promise((resolve) => worker.once('message', resolve))
}

function usedHere(): Used {
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { processor: user + system, kept: heapUsed + external, resident: rss, near: nearHere() }
}

function sum(left: Used, right: Used): Used {
  return {
    processor: left.processor + right.processor,
    kept: left.kept + right.kept,
    resident: left.resident + right.resident,
    near: { entries: left.near.entries + right.near.entries, bytes: left.near.bytes + right.near.bytes },
  }
}
