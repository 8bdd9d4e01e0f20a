/** One of the two servers: an Express application with the transfer in three worlds. */
import express from 'express'
import { holdfast } from 'holdfast/express'

import type { Surroundings } from '../surroundings.ts'
import { transfer } from '../transfer.ts'
import { WORLDS } from '../worlds.ts'
import { readHere } from './here.ts'
import { Ledger } from './ledger.ts'
import { refusals } from './refusals.ts'
import { transferRoutes } from './routes.ts'
import { createVisits } from './sessions.ts'
import { showing } from './show.ts'
import { keepingAccount, watchedCycles } from './trips.ts'

const here = readHere(process.env)
const worlds = Object.values(WORLDS).map((world) => ({ world, sessions: createVisits(world, here) }))
await Promise.all(worlds.map(({ sessions }) => sessions.ready()))

const app = express()
app.disable('x-powered-by')
app.use(express.urlencoded())
for (const { world, sessions } of worlds) {
  const parts = {
    sessions,
    transfer: watchedCycles(transfer),
    ledger: new Ledger(here.folder, world),
    show: showing(world, sessions, here),
    here,
  }
  app.use(
    `/${world.id}`,
    keepingAccount(sessions),
    holdfast(sessions, { errors: 'forward' }),
    transferRoutes(parts),
    refusals(parts),
  )
}

const server = app.listen(here.port, '127.0.0.1', (error) => {
  if (error !== undefined) throw error
  process.send?.('up')
})

process.on('message', (surroundings: Surroundings) => {
  here.surroundings = surroundings
})
// Ctrl-C reaches every process of a terminal at once, and so does its end; the launcher decides when this one stops.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined)
process.once('SIGTERM', () => void stop())
process.once('disconnect', () => void stop())

/** Answers what is under way, saves what is unsaved, and goes. */
async function stop(): Promise<void> {
  await new Promise((resolve) => server.close(resolve))
  await Promise.all(worlds.map(({ sessions }) => sessions.close()))
  process.exit()
}
