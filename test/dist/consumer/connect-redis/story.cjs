/** Sessions of express-session itself, in a Redis that is a map; and whether the store is one of its kind. */
const { createServer } = require('node:http')

const session = require('express-session')

module.exports = async function tellStory(RedisStore) {
  const kept = new Map()
  const client = {
    get: async (key) => kept.get(key) ?? null,
    set: async (key, value, { XX } = {}) => {
      if (XX && !kept.has(key)) return null
      kept.set(key, value)
      return 'OK'
    },
    expire: async () => 1,
    del: async (key) => Number(kept.delete(key)),
  }
  const store = new RedisStore({ client })
  const visit = session({ store, secret: 'x', resave: false, saveUninitialized: false })
  const server = createServer((request, response) => {
    visit(request, response, () => {
      request.session.count = (request.session.count ?? 0) + 1
      // Somebody ends it meanwhile.
      if (request.url === '/ended') kept.clear()
      response.end(String(request.session.count))
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${server.address().port}`
  const first = await fetch(url)
  const headers = { cookie: first.headers.getSetCookie()[0].split(';')[0] }
  const counts = [await first.text(), await (await fetch(url, { headers })).text()]
  await (await fetch(`${url}/ended`, { headers })).text()
  server.closeAllConnections()
  server.close()
  return { kind: store instanceof session.Store, counts, left: kept.size }
}
