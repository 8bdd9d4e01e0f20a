/** Two managers in one program: `sessions.of(request)` types each without a cast, whatever is registered. */
import express from 'express'
import fastify from 'fastify'
import { createServer } from 'node:http'
import { createSessions } from 'holdfast'
import { holdfast as inExpress } from 'holdfast/express'
import { holdfast as inFastify } from 'holdfast/fastify'
import { attach } from 'holdfast/node'

interface Shop {
  cart: string[]
}
interface Desk {
  tickets: Map<string, { readonly opened: Date; notes: Set<string> }>
  total: bigint
}

const shop = createSessions<Shop>({ name: 'shop', initial: () => ({ cart: [] }) })
const desk = createSessions<Desk>({ name: 'desk', initial: () => ({ tickets: new Map(), total: 0n }) })

const app = express()
app.use(inExpress(shop), inExpress(desk, { as: 'desk' }))
app.get('/', (req, res) => {
  const cart: string[] = shop.of(req).data.cart
  const notes: Set<string> | undefined = desk.of(req).data.tickets.get('t1')?.notes
  res.json({ cart, notes: [...(notes ?? [])] })

  // @ts-expect-error: the shop has no tickets
  shop.of(req).data.tickets
  // @ts-expect-error: the desk has no cart
  desk.of(req).data.cart
  // @ts-expect-error: nothing is registered, so the type of any value is unknown here
  req.session.data['cart'].push('A-1')
})

const other = fastify()
await other.register(inFastify, { sessions: shop })
await other.register(inFastify, { sessions: desk, as: 'desk' })
other.get('/', async (request) => {
  const cart: string[] = shop.of(request).data.cart
  const total: bigint = await desk.of(request).update((data) => (data.total += 1n))
  return { cart, total: String(total) }
})

createServer((request, response) => {
  void attach(shop, request, response)
})

const found = await desk.list('u1')
const opened: Date | undefined = found[0]?.data.tickets.get('t1')?.opened
// @ts-expect-error: what is listed is for reading
if (found[0] !== undefined) found[0].data.total = 1n

export { opened }
