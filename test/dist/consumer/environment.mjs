/** Prints which variables of the environment the package reads while sessions are made, used and closed. */
import { once } from 'node:events'
import { createServer } from 'node:http'

const read = new Set()

/** Node and its parts read variables as well; whose call it is stands on the stack. @param {string | symbol} name */
function note(name) {
  if (new Error('read').stack.includes('/node_modules/holdfast/')) read.add(name)
}

const environment = new Proxy(process.env, {
  get(variables, name) {
    note(name)
    return variables[name]
  },
  ownKeys(variables) {
    note('all of them')
    return Reflect.ownKeys(variables)
  },
})
Object.defineProperty(process, 'env', { value: environment })

const { createSessions } = await import('holdfast')
const { attach } = await import('holdfast/node')
const sessions = createSessions({ store: 'memory:', log: { warn() {}, error() {} } })
const server = createServer(async (request, response) => {
  const session = await attach(sessions, request, response)
  session.data.seen = true
  response.end()
})
await once(server.listen(0), 'listening')
await fetch(`http://localhost:${server.address().port}/`)
server.close()
server.closeAllConnections()
await sessions.close()
process.stdout.write(JSON.stringify([...read]))
