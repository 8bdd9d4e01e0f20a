import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { createSessions } from 'holdfast'
import { answerWith, attach, verifyCsrf } from 'holdfast/node'

import { tellStory } from './story.mjs'

const sessions = createSessions({ secret: 'one secret that is long enough for it', store: 'memory:' })
const server = createServer(async (request, response) => {
  try {
    const session = await attach(sessions, request, response, { csrf: 'later' })
    verifyCsrf(request, Object.fromEntries(new URLSearchParams(await text(request))))
    if (request.method === 'POST') session.data.count = (session.data.count ?? 0) + 1
    response.end(request.url === '/form' ? session.csrf.token() : String(session.data.count))
  } catch (error) {
    answerWith(error, request, response)
  }
})
await once(server.listen(0), 'listening')
await tellStory(server.address().port, async () => {
  server.close()
  server.closeAllConnections()
  await sessions.close()
})
