/** `npm run bench:express`: what a session costs Express, beside express-session. Signed in, reading only. */
import { readOptions } from './options.ts'
import { installBenchPeers } from './peers.ts'
import { conditionsOf, print, runComparison } from './program.ts'
import { freshLmdb } from './store-folder.ts'

const options = readOptions()
if (options !== undefined) {
  installBenchPeers()
  const comparison = {
    title: 'Express: a page that reads the session of a signed-in visitor',
    work: 'read',
    contenders: [
      { name: 'Express', setup: { framework: 'express', sessions: 'bare' } },
      { name: 'Express + Holdfast on LMDB', setup: { framework: 'express', sessions: 'holdfast', store: freshLmdb() } },
      { name: 'Express + Holdfast in memory', setup: { framework: 'express', sessions: 'holdfast', store: 'memory:' } },
      { name: 'Express + express-session, MemoryStore', setup: { framework: 'express', sessions: 'express-session' } },
    ],
  } as const
  print([await runComparison(comparison, options)], conditionsOf(options), options)
}
