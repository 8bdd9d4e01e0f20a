/** `npm run bench:fastify`: what a session costs Fastify. Signed in, reading only. */
import { readOptions } from './options.ts'
import { conditionsOf, print, runComparison } from './program.ts'
import { freshLmdb } from './store-folder.ts'

const HOLDFAST = 'Fastify + Holdfast on LMDB'

const options = readOptions()
if (options !== undefined) {
  const comparison = {
    title: 'Fastify: a page that reads the session of a signed-in visitor',
    work: 'read',
    contenders: [
      { name: 'Fastify', setup: { framework: 'fastify', sessions: 'bare' } },
      { name: HOLDFAST, setup: { framework: 'fastify', sessions: 'holdfast', store: freshLmdb() } },
    ],
    targets: [{ of: HOLDFAST, over: 'Fastify', least: 0.75 }],
  } as const
  print([await runComparison(comparison, options)], conditionsOf(options), options)
}
