import fastify from 'fastify'
import { createSessions } from 'holdfast'
import { holdfast } from 'holdfast/fastify'

import { tellStory } from './story.mjs'

const sessions = createSessions({ secret: 'one secret that is long enough for it', store: 'memory:' })
const app = fastify({ forceCloseConnections: true })
app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, async (_request, body) =>
  Object.fromEntries(new URLSearchParams(body)),
)
await app.register(holdfast, { sessions })
app.get('/form', async (request) => request.session.csrf.token())
app.get('/count', async (request) => String(request.session.data.count))
app.post('/count', async (request) => {
  request.session.data.count = (request.session.data.count ?? 0) + 1
  return String(request.session.data.count)
})
await app.listen({ port: 0, host: 'localhost' })
await tellStory(app.server.address().port, async () => {
  await app.close()
  await sessions.close()
})
