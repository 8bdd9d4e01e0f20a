/** Serves a session by `session`, visits twice, and prints what came of it. */
const { once } = require('node:events')
const { createServer } = require('node:http')

module.exports = async function tellStory(session) {
  class Mine extends session.MemoryStore {}
  const middleware = session({ secret: 'a secret', resave: false, saveUninitialized: false, store: new Mine() })
  const server = createServer((request, response) => {
    middleware(request, response, () => {
      request.session.count = (request.session.count ?? 0) + 1
      response.end(String(request.session.count))
    })
  })
  await once(server.listen(0), 'listening')
  const address = `http://localhost:${server.address().port}/`
  const first = await fetch(address)
  const cookie = first.headers.get('set-cookie').split(';')[0]
  const second = await fetch(address, { headers: { cookie } })
  const counts = [await first.text(), await second.text()]
  server.close()
  server.closeAllConnections()
  return { names: Object.keys(session).toSorted(), counts }
}
