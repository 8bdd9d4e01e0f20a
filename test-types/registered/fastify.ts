/** `request.session` is typed by `Register`, in Fastify 5. */
import fastify from 'fastify'
import { dangerouslySkipCsrf, holdfast } from 'holdfast/fastify'

import { sessions, type Item } from './shop.js'

const app = fastify()
await app.register(holdfast, { sessions, errors: 'forward' })

app.post('/cart', async (request) => {
  const cart: Item[] = request.session.data.cart
  cart.push({ sku: 'A-1', count: 1 })
  const seen: Date | undefined = request.session.data.seen
  // @ts-expect-error: there is no such key
  request.session.data.basket = []
  return { seen, token: request.session.csrf.token('/cart') }
})

app.get('/status', { config: { holdfast: { session: false } } }, async () => 'ok')
app.get('/account', { config: { holdfast: { fresh: true, touch: false } } }, async (request) => request.session.userId)
app.post('/webhook', { config: { holdfast: { [dangerouslySkipCsrf]: 'signed with HMAC' } } }, async () => 'ok')

// Fastify infers the type of `config` from what is written, so a misspelt option is found when the route is added, not here.
// @ts-expect-error: a wrong value is found here
app.get('/other', { config: { holdfast: { fresh: 'yes' } } }, async () => 'ok')
// @ts-expect-error: the sessions are needed
await app.register(holdfast, {})
// @ts-expect-error: errors are answered or forwarded
await app.register(holdfast, { sessions, errors: 'swallow' })
