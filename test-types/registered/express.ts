/** `req.session` is typed by `Register`, in Express 5. */
import express from 'express'
import { csrf, dangerouslySkipCsrf, holdfast, route } from 'holdfast/express'

import { sessions, type Item } from './shop.js'

const app = express()
app.use(express.urlencoded(), express.json())
app.use('/assets', route({ session: false }))
app.use(
  holdfast(sessions, {
    checkLater: ['POST /upload'],
    [dangerouslySkipCsrf]: [{ method: 'POST', path: '/webhook', reason: 'signed with HMAC' }],
  }),
)

app.post('/cart', async (req, res) => {
  const cart: Item[] = req.session.data.cart
  cart.push({ sku: 'A-1', count: 1 })
  const name: string | undefined = req.session.data.name
  const total: number = await req.session.update((data) => data.cart.length)
  await req.session.signIn('u1', { data: ['cart'] })
  res.send(`${name} ${total} ${req.session.csrf.field('/cart')}`)

  // @ts-expect-error: a number is no cart
  req.session.data.cart = 3
  // @ts-expect-error: there is no such key
  req.session.data.basket = []
  // @ts-expect-error: nor can it be kept at sign-in
  await req.session.signIn('u1', { data: ['basket'] })
  // @ts-expect-error: the status is told, not set
  req.session.status = 'live'
})

app.post('/upload', csrf(), (req, res) => {
  res.send(sessions.of(req).data.name)
})

// @ts-expect-error: errors are answered or forwarded
holdfast(sessions, { errors: 'swallow' })
// @ts-expect-error: a skipped route has a reason
holdfast(sessions, { [dangerouslySkipCsrf]: [{ method: 'POST', path: '/webhook' }] })
// @ts-expect-error: no such option
holdfast(sessions, { skipCsrf: true })
// @ts-expect-error: a route has no session, or has one; it cannot demand one
route({ session: true })
// @ts-expect-error: these are no sessions
holdfast({})
