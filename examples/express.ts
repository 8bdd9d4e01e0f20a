import type { AddressInfo } from 'node:net'

import express from 'express'
import { createSessions } from 'holdfast'
import { holdfast } from 'holdfast/express'

const sessions = createSessions<{ cart: string[] }>({
  secret: process.env['SESSION_SECRET'], // the same on every server
  store: process.env['SESSION_STORE'] ?? 'lmdb:.data/shop', // or redis://…
  initial: () => ({ cart: [] }),
})

const app = express()
app.use(express.urlencoded())
app.use(holdfast(sessions)) // session and CSRF, after the body parsers

app.get('/', (req, res) => {
  const { data, csrf } = sessions.of(req)
  res.send(`<p>In your cart: ${data.cart.length}</p>
    <form method="post" action="/cart">${csrf.field()}<input name="item"><button>Add</button></form>`)
})

app.post('/cart', (req, res) => {
  const { item } = req.body as { item?: string }
  sessions.of(req).data.cart.push(String(item))
  res.redirect('/') // leaves once the cart is saved
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), (error) => {
  if (error) throw error
  console.log(`http://localhost:${(server.address() as AddressInfo).port}`)
})
