import Fastify from 'fastify'
import { createSessions } from 'holdfast'
import { holdfast } from 'holdfast/fastify'

const sessions = createSessions<{ cart: string[] }>({
  secret: process.env['SESSION_SECRET'], // the same on every server
  store: process.env['SESSION_STORE'] ?? 'lmdb:.data/shop', // or redis://…
  initial: () => ({ cart: [] }),
})

const app = Fastify()
app.addContentTypeParser(
  'application/x-www-form-urlencoded',
  { parseAs: 'string' },
  async (_request: unknown, body: string) => Object.fromEntries(new URLSearchParams(body)),
)
await app.register(holdfast, { sessions }) // session and CSRF in one

app.get('/', (request, reply) => {
  const { data, csrf } = sessions.of(request)
  return reply.type('text/html').send(`<p>In your cart: ${data.cart.length}</p>
    <form method="post" action="/cart">${csrf.field()}<input name="item"><button>Add</button></form>`)
})

app.post<{ Body: { item?: string } }>('/cart', (request, reply) => {
  sessions.of(request).data.cart.push(String(request.body.item))
  return reply.redirect('/') // leaves once the cart is saved
})

console.log(await app.listen({ port: Number(process.env['PORT'] ?? 3000), host: 'localhost' }))
