/** `npm run bench:fastify`: what a session costs Fastify. Signed in, reading only. */
import { runProgram } from './program.ts'
import { freshLmdb } from './store-folder.ts'

await runProgram({
  title: 'Fastify: a page that reads the session of a signed-in visitor',
  contenders: [
    { name: 'Fastify', setup: { framework: 'fastify', sessions: 'bare' } },
    { name: 'Fastify + Holdfast on LMDB', setup: { framework: 'fastify', sessions: 'holdfast', store: freshLmdb() } },
  ],
  targets: { 'Fastify + Holdfast on LMDB': 0.75 },
})
