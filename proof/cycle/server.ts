/** One server of the proof: an application with a transfer of money in two steps, whose end writes into the ledger. */
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

import express, { type ErrorRequestHandler } from 'express'
import { createSessions, HoldfastError } from 'holdfast'
import { CycleError, defineCycle } from 'holdfast/cycle'
import { holdfast } from 'holdfast/express'

import type { Entry } from './ledger.ts'

export interface Setup {
  readonly name: string
  /** 0: any free one. */
  readonly port: number
  readonly store: string
  readonly secret: string
  /** The ledger's origin. */
  readonly ledger: string
  readonly lease: `${number}ms`
  readonly patience: `${number}ms`
  /** How long the final step works at most before its effect, and again after it, in milliseconds. */
  readonly work: number
}

interface Transfer {
  readonly name: string
  to?: string
}

const setup = JSON.parse(process.argv[2] ?? '{}') as Setup
// What a server says of its neighbours' deaths, and of its own standstill, is no news here.
const quiet = { warn: () => undefined, error: () => undefined }
const sessions = createSessions({ secret: setup.secret, store: setup.store, log: quiet })
const transfer = defineCycle<Transfer, { readonly entry: number }>('transfer', {
  steps: ['details'],
  lease: setup.lease,
  patience: setup.patience,
})

const app = express()
app.use(express.urlencoded({ extended: false }), holdfast(sessions))

app.get('/begin', async (request, response) => {
  const { name } = request.query as { readonly name: string }
  const cycle = await transfer.begin(sessions.of(request), { name })
  response.json({ server: setup.name, token: cycle.token })
})

app.post('/details', async (request, response) => {
  const { _csrf: token, to } = request.body as Record<string, string | undefined>
  const cycle = await transfer.step(sessions.of(request), token, (state) => void (state.to = to ?? ''), 'details')
  response.json({ server: setup.name, token: cycle.token })
})

app.post('/confirm', async (request, response) => {
  const { _csrf: token } = request.body as Record<string, string | undefined>
  const done = await transfer.finish(sessions.of(request), token, async ({ state, idempotencyKey }) => {
    await pause(Math.random() * setup.work)
    const entry = await enter({ cycle: state.name, key: idempotencyKey, server: setup.name })
    await pause(Math.random() * setup.work)
    return { entry }
  })
  response.json({ server: setup.name, ...done })
})

const answerError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (!(error instanceof HoldfastError)) return next(error)
  const idempotencyKey = error instanceof CycleError ? error.idempotencyKey : undefined
  response.status(error.status).set(error.headers).json({ server: setup.name, code: error.code, idempotencyKey })
}
app.use(answerError)

await sessions.ready()
const server = app.listen(setup.port, '127.0.0.1', (error) => {
  if (error) throw error
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.once('disconnect', () => {
  server.close()
  server.closeAllConnections()
  void sessions.close().finally(() => process.exit(0))
})

/** The one effect that there is: an entry in the ledger. */
async function enter(entry: Entry): Promise<number> {
  const answer = await fetch(setup.ledger, { method: 'POST', body: JSON.stringify(entry) })
  const { number } = (await answer.json()) as { number: number }
  return number
}
