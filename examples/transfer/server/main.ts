/** One of the two servers: an Express application with the transfer in three worlds. */
import express from 'express'
import { holdfast } from 'holdfast/express'

import type { Surroundings } from '../surroundings.ts'
import { WORLDS } from '../worlds.ts'
import { readHere } from './here.ts'
import { refusals, transferRoutes } from './routes.ts'
import { createLedgers } from './sessions.ts'
import { showing } from './show.ts'
import { keepingAccount } from './trips.ts'

const here = readHere(process.env)
const worlds = Object.values(WORLDS).map((world) => ({ world, sessions: createLedgers(world, here) }))
await Promise.all(worlds.map(({ sessions }) => sessions.ready()))

const app = express()
app.disable('x-powered-by')
app.use(express.urlencoded())
for (const { world, sessions } of worlds) {
  const show = showing(world, sessions, here)
  app.use(
    `/${world.id}`,
    keepingAccount(sessions),
    holdfast(sessions, { errors: 'forward' }),
    transferRoutes(sessions, show, here),
    refusals(show),
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
