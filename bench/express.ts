/** `npm run bench:express`: what a session costs Express, beside express-session. Signed in, reading only. */
import { installPeers } from '../proof/peers.ts'
import { runProgram } from './program.ts'
import { freshLmdb } from './store-folder.ts'

installPeers('bench')
await runProgram({
  title: 'Express: a page that reads the session of a signed-in visitor',
  contenders: [
    { name: 'Express', setup: { framework: 'express', sessions: 'bare' } },
    { name: 'Express + Holdfast on LMDB', setup: { framework: 'express', sessions: 'holdfast', store: freshLmdb() } },
    { name: 'Express + Holdfast in memory', setup: { framework: 'express', sessions: 'holdfast', store: 'memory:' } },
    { name: 'Express + express-session, MemoryStore', setup: { framework: 'express', sessions: 'express-session' } },
  ],
})
