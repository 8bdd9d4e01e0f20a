/** The load at a constant rate, in a process of its own: takes it as JSON from its input, tells what came of it. */
import { text } from 'node:stream/consumers'

import { serveAtRate, type SteadyLoad } from './steady-load.ts'

const load = JSON.parse(await text(process.stdin)) as SteadyLoad
process.stdout.write(JSON.stringify(await serveAtRate(load)))
