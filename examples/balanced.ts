import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'

import Fastify from 'fastify'
import { createSessions } from 'holdfast'
import { holdfast } from 'holdfast/fastify'

const sessions = createSessions<{ cart: string[] }>({
  secret: process.env['SESSION_SECRET'], // the same on every server
  store: process.env['SESSION_STORE'], // redis://…
  trustProxy: true, // the balancer writes X-Forwarded-Proto and -Host itself, whatever a visitor sends
  initial: () => ({ cart: [] }),
})
await sessions.ready() // or end here, and be started again

const app = Fastify()
app.addContentTypeParser(
  'application/x-www-form-urlencoded',
  { parseAs: 'string' },
  async (_request: unknown, body: string) => Object.fromEntries(new URLSearchParams(body)),
)
await app.register(holdfast, { sessions })

let leaving = false
app.get('/healthy', (_request, reply) => reply.code(leaving ? 503 : 200).send()) // asks no store

app.get('/', (request, reply) => {
  const { data, csrf } = sessions.of(request)
  return reply.type('text/html').send(`<p>In your cart: ${data.cart.length}</p>
    <form method="post" action="/cart">${csrf.field()}<input name="item"><button>Add</button></form>`)
})

app.post<{ Body: { item?: string } }>('/cart', (request, reply) => {
  sessions.of(request).data.cart.push(String(request.body.item))
  return reply.redirect('/')
})

console.log(await app.listen({ port: Number(process.env['PORT'] ?? 3000), host: process.env['HOST'] ?? 'localhost' }))

await once(process, 'SIGTERM')
leaving = true
await pause(5_000) // the balancer has seen it, and sends nobody new
await app.close() // whoever is here is served
await sessions.close()
