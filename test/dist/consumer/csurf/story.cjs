/** A form on a server of `node:http`: with its token, and without. */
const { createServer } = require('node:http')

module.exports = async function tellStory(csurf) {
  const visit = {}
  const protect = csurf()
  const server = createServer((request, response) => {
    request.session = visit
    protect(request, response, (error) => {
      response.statusCode = error === undefined ? 200 : error.status
      response.end(error === undefined ? request.csrfToken() : error.code)
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${server.address().port}/`
  const token = await (await fetch(url)).text()
  const send = async (headers) => (await fetch(url, { method: 'POST', headers })).status
  const story = { with: await send({ 'csrf-token': token }), without: await send({}) }
  server.closeAllConnections()
  server.close()
  return story
}
