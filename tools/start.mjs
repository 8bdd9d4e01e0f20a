/** `npm start`: two servers, a balancer, one session. HAProxy is used where it is installed, and never waited for. */
import { runProgram } from './run.mjs'

await runProgram('examples/transfer/main', process.argv.slice(2))
