/** Stores that need no server: memorystore, and session-file-store, which writes into the sessions that it is given. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { describe, expect, onTestFinished, test } from 'vitest'

import type { Tested, TestedStore } from '../express-session/implementations.ts'
import { cookieFor } from '../express-session/site.ts'
import { middlewareOf, peer, SECRET, serve, sessionOf, shown, stacks, type Serving, type Stack } from './stack.ts'

type Makes = (session: Tested) => new (options: object) => TestedStore

const memorystore = await peer<Makes>('memorystore')
const sessionFileStore = await peer<Makes>('session-file-store')

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), 'holdfast-stacks-'))
  onTestFinished(() => rm(made, { recursive: true }))
  return made
}

function fileStore({ session }: Stack, at: string): TestedStore {
  return new (sessionFileStore(session))({ path: at, retries: 0, reapInterval: -1, logFn: () => undefined })
}

async function open(stack: Stack, store: TestedStore, options: object = {}): Promise<Serving & { calls: string[] }> {
  const calls: string[] = []
  for (const method of ['set', 'touch', 'destroy'] as const) {
    const call = store[method] as (...values: unknown[]) => unknown
    store[method] = (...values: unknown[]) => {
      calls.push(method)
      return call.apply(store, values)
    }
  }
  const app = stack.express()
  app.use(middlewareOf(stack, { store, ...options }))
  app.get('/count', (request, response) => {
    const mine = sessionOf(request)
    mine['count'] = Number(mine['count'] ?? 0) + 1
    response.send(String(mine['count']))
  })
  app.get('/stream', (request, response) => {
    sessionOf(request)['count'] = 100
    response.write('a')
    setTimeout(() => response.end('b'), 20)
  })
  app.get('/save', (request, response) => {
    sessionOf(request)['count'] = 200
    sessionOf(request).save(() => response.send('saved'))
  })
  app.get('/out', (request, response) => {
    sessionOf(request).destroy(() => response.send('out'))
  })
  app.get('/', (request, response) => {
    response.send(shown(request, 'count'))
  })
  return { ...(await serve(app)), calls }
}

describe.each(stacks)('$framework, $name', (stack) => {
  const makes: readonly (readonly [string, () => Promise<TestedStore>])[] = [
    ['memorystore', async () => new (memorystore(stack.session))({ checkPeriod: 0 })],
    ['session-file-store', async () => fileStore(stack, await folder())],
  ]

  test.each(makes)('%s: visits are counted, touched and ended', async (_name, make) => {
    await using shop = await open(stack, await make())
    const browser = shop.browser()
    const texts: string[] = []
    for (const visit of ['/count', '/count', '/', '/out', '/']) texts.push((await browser.ask(visit)).text)
    expect(texts).toEqual(['1', '2', '2', 'out', 'nothing'])
    expect(shop.calls).toEqual(['set', 'set', 'touch', 'destroy'])
  })

  test.each(makes)('%s: an id that it does not know is a new visitor, and no error', async (_name, make) => {
    await using shop = await open(stack, await make())
    const page = await shop.browser().ask('/', { headers: { cookie: cookieFor('unknown', { secret: SECRET }) } })
    expect([page.status, page.text]).toEqual([200, 'nothing'])
  })

  test.each(makes)('%s: what has run out is gone', async (_name, make) => {
    await using shop = await open(stack, await make(), { cookie: { maxAge: 1_200 } })
    const browser = shop.browser()
    await browser.ask('/count')
    expect((await browser.ask('/count')).text).toBe('2')
    // The file store knows whole seconds, and a life of its own.
    if (_name === 'memorystore') {
      await new Promise((resolve) => setTimeout(resolve, 1_250))
      expect((await browser.ask('/')).text).toBe('nothing')
    }
  })

  test('session-file-store: a session is in its file, and is there after a restart', async () => {
    const at = await folder()
    await using shop = await open(stack, fileStore(stack, at))
    const browser = shop.browser()
    await browser.ask('/count')
    const [file] = await readdir(at)
    expect(JSON.parse(await readFile(path.join(at, file!), 'utf8'))).toMatchObject({ count: 1 })
    await using again = await open(stack, fileStore(stack, at))
    expect((await browser.ask('/count', { at: again.origin })).text).toBe('2')
    await browser.ask('/out', { at: again.origin })
    expect(await readdir(at)).toEqual([])
  })

  test('session-file-store: what it notes in a session is not taken for a change', async () => {
    await using shop = await open(stack, fileStore(stack, await folder()))
    const browser = shop.browser()
    expect((await browser.ask('/stream')).text).toBe('ab')
    await browser.ask('/save')
    // The original stores its note once more.
    expect(shop.calls).toEqual(stack.differs({ original: ['set', 'set', 'set'], dropIn: ['set', 'set', 'touch'] }))
    expect((await browser.ask('/')).text).toBe('200')
  })
})
