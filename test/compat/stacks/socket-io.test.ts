/** socket.io that shares its sessions with Express, by WebSocket and by long polling, asked by its own client. */
import type { RequestHandler } from 'express'
import { describe, expect, test, vi } from 'vitest'

import { loadPeer } from '../../../proof/peers.ts'
import { PEERS, type TestedMemory, type TestedRequest } from '../express-session/implementations.ts'
import { middlewareOf, serve, sessionOf, shown, stacks, type Serving, type Stack } from './stack.ts'

interface Socket {
  readonly request: TestedRequest
  on(event: string, listener: (answer: (text: string) => void) => void): void
}

interface SocketServer {
  readonly engine: { use(middleware: RequestHandler): void; readonly clientsCount: number }
  use(middleware: (socket: Socket, next: (error?: unknown) => void) => void): void
  on(event: 'connection', listener: (socket: Socket) => void): void
  close(): Promise<void>
}

interface Client {
  emitWithAck(event: string): Promise<string>
  on(event: string, listener: (error: unknown) => void): void
  close(): void
}

const { Server } = await loadPeer<{ Server: new (server: object) => SocketServer }>('socket.io', PEERS)
const { io } = await loadPeer<{ io(origin: string, options: object): Client }>('socket.io-client', PEERS)

interface Chat extends Serving {
  readonly store: TestedMemory
  connect(cookie: string, transport: string): Client
}

/** `way`: as its documentation says now, and as it said for years. */
async function open(stack: Stack, way: 'engine' | 'wrapped'): Promise<Chat> {
  const store = new stack.session.MemoryStore()
  const sessions = middlewareOf(stack, { store })
  const app = stack.express()
  app.use(sessions)
  app.get('/in', (request, response) => {
    sessionOf(request)['user'] = 'ada'
    response.send('in')
  })
  app.get('/out', (request, response) => {
    sessionOf(request).destroy(() => response.send('out'))
  })
  app.get('/', (request, response) => {
    response.send(`${String(sessionOf(request)['user'])} said ${shown(request, 'said')}`)
  })
  const serving = await serve(app)
  const server = new Server(serving.server)
  if (way === 'engine') server.engine.use(sessions)
  else server.use((socket, next) => void sessions(socket.request as never, {} as never, next as never))
  server.on('connection', listen)
  const clients: Client[] = []
  return {
    ...serving,
    store,
    connect(cookie, transport) {
      const options = { transports: [transport], extraHeaders: { cookie }, forceNew: true, reconnection: false }
      const client = io(serving.origin, options)
      clients.push(client)
      return client
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close()
      await server.close()
      await serving[Symbol.asyncDispose]()
    },
  }
}

/** Reads the session anew before it changes something, as the documentation advises; or does not. */
function listen(socket: Socket): void {
  const { request } = socket
  socket.on('who', (answer) => answer(String(request.session!['user'])))
  socket.on('say', (answer) => {
    request.session!.reload((error) => {
      if (error) return answer((error as Error).message)
      request.session!['said'] = 'hello'
      return request.session!.save((failure) => answer(failure ? (failure as Error).message : 'kept'))
    })
  })
  socket.on('blurt', (answer) => {
    request.session!['said'] = 'oh'
    request.session!.save(() => answer('kept'))
  })
}

const ways = [
  ['engine', 'websocket'],
  ['engine', 'polling'],
  ['wrapped', 'websocket'],
  ['wrapped', 'polling'],
] as const

describe.each(stacks)('$framework, $name', (stack) => {
  describe.each(ways)('io.%s, %s', (way, transport) => {
    test('a socket has the session of its visitor, and what it saves the next page shows', async () => {
      await using chat = await open(stack, way)
      const browser = chat.browser()
      await browser.ask('/in')
      const client = chat.connect(browser.cookie, transport)
      expect(await client.emitWithAck('who')).toBe('ada')
      expect(await client.emitWithAck('say')).toBe('kept')
      expect((await browser.ask('/')).text).toBe('ada said hello')
    })

    test('one that goes on after the sign-out', async () => {
      await using chat = await open(stack, way)
      const browser = chat.browser()
      await browser.ask('/in')
      const { cookie } = browser
      const client = chat.connect(cookie, transport)
      await client.emitWithAck('who')
      await browser.ask('/out')
      expect(await client.emitWithAck('blurt')).toBe('kept')
      // In the original it brings back the session that was signed out.
      await vi.waitFor(() =>
        expect(Object.keys(chat.store.sessions).length).toBe(stack.differs({ original: 1, dropIn: 0 })),
      )
      if (stack.differs({ original: false, dropIn: true }))
        expect(await client.emitWithAck('say')).toBe('failed to load session')
    })
  })
})
