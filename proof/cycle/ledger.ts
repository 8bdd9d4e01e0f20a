/**
 * The ledger of the proof: one process that alone writes down what final steps have done, in a database of its own, so
 * that killing servers cannot harm it. It never refuses a second entry under the same key: that is what is counted.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

import { open } from 'lmdb'

/** What an effect leaves behind. */
export interface Entry {
  readonly cycle: string
  /** The idempotency key that the final step was given. */
  readonly key: string
  readonly server: string
}

const database = open<Entry, number>({ path: process.argv[2] ?? '', keyEncoding: 'uint32' })
let last = 0

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    process.stderr.write(`the ledger: ${String(error)}\n`)
    response.destroy()
  })
})
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.once('disconnect', () => process.exit(0))

/** `POST /` writes an entry and answers its number once it is on the disk; `GET /` answers them all. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('content-type', 'application/json')
  if (request.method === 'GET') {
    const entries = [...database.getRange()].map(({ key, value }) => ({ number: key, ...value }))
    return void response.end(JSON.stringify(entries))
  }
  const entry = JSON.parse(await text(request)) as Entry
  const number = ++last
  await database.put(number, entry)
  await database.flushed
  response.end(JSON.stringify({ number }))
}
