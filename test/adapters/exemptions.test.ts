/** What is exempt from the CSRF check is exactly one method and one path, as the router sees them. */
import { createServer } from 'node:http'

import type express from 'express'
import type { Express, RequestHandler } from 'express'
import * as fc from 'fast-check'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

import { dangerouslySkipCsrf, holdfast, type SkippedRoute } from '../../src/adapters/express.ts'
import { holdfast as holdfastForFastify } from '../../src/adapters/fastify.ts'
import { OptionsError } from '../../src/errors.ts'
import { ask } from '../../src/testing/adapter-contract/client.ts'
import { EXPRESSES } from './harness/express.ts'
import { listen } from './harness/listen.ts'
import { shopSessions } from './harness/sessions.ts'

const FOREIGN = {
  'content-type': 'text/plain',
  'sec-fetch-site': 'cross-site',
  origin: 'https://evil.example',
}
const because = 'signed with HMAC'
const HOOKS = ['/hook', '/bank/hook', '/bank', '/bank/vault/hook']
const skip = { [dangerouslySkipCsrf]: HOOKS.map((path) => ({ method: 'POST', path, reason: because })) }

const closing: (() => Promise<unknown>)[] = []
afterAll(() => Promise.all(closing.map((close) => close())))

/** Ways to write a path that somebody might take for another. */
const SEGMENTS =
  String.raw`hook hook hook bank bank vault pay . .. ... Hook BANK hook;x ; ..; hook.json hook.. * :hook ~ \ ..\pay
  %68ook hoo%6b hook%2f hook%2F %2e%2e %2E hook%00 hook%3f hook%23 hook%20 hook%a0 h%c3%b6ok % %zz %c0%ae%c0%ae`.split(
    /\s+/,
  )
const segment = fc.constantFrom('', '', ...SEGMENTS)
const prefix = fc.constantFrom('', '', '', '', 'http://localhost', 'http://localhost:80', 'http://evil.example')
const odd = fc.constantFrom('http://localhost#', 'http://localhost?', 'javascript://x', 'http://a/b@c', 'HTTP://h\\')
const SUFFIXES = '? ?/hook ?x=/../hook #/hook ?_method=PUT ;/hook / // /.'.split(' ')
const suffix = fc.constantFrom('', '', '', ...SUFFIXES)
const odder = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: prefix }, { weight: 1, arbitrary: odd }),
    fc.array(segment, { minLength: 1, maxLength: 5 }),
    suffix,
  )
  .map(([start, segments, end]) => `${start}/${segments.join('/')}${end}`)
const target = fc.oneof({ weight: 9, arbitrary: odder }, { weight: 1, arbitrary: fc.constantFrom(...HOOKS) })

/** What every handler answers with: its own name. */
const named =
  (name: string): RequestHandler =>
  (_request, response) =>
    void response.send(`handled by ${name}`)

function bankOf(create: typeof express): Express {
  const bank = create()
  const vault = create.Router()
  vault.post('/hook', named('/bank/vault/hook')).use(named('vault'))
  bank.post('/', named('/bank')).post('/hook', named('/bank/hook')).post('/pay', named('/bank/pay'))
  bank.use('/vault', vault)
  return bank
}

const SETTINGS = { 'as it comes': [], 'strict routing': ['strict routing', 'case sensitive routing'] }
const expresses = Object.entries(EXPRESSES).flatMap(([name, create]) =>
  Object.entries(SETTINGS).map(([how, settings]) => ({ name: `${name}, ${how}`, create, settings })),
)

describe.each(expresses)('$name', ({ create, settings }) => {
  let port = 0
  beforeAll(async () => {
    const { sessions } = await shopSessions()
    const app = create()
    for (const setting of settings) app.enable(setting)
    app.use(holdfast(sessions, skip))
    app.post('/hook', named('/hook')).post('/pay', named('/pay'))
    app.use('/bank', bankOf(create))
    app.use(named('nobody'))
    const server = await listen(createServer(app))
    closing.push(server.close)
    port = server.port
  })

  it.each(HOOKS)('%s is exempt, with any query and as an absolute target', async (path) => {
    for (const written of [path, `${path}?from=bank`, `${path}?`, `http://localhost${path}`]) {
      const reply = await ask(port, { method: 'POST', path: written, headers: FOREIGN, body: 'a' })
      expect([written, reply.status, reply.body]).toEqual([written, 200, `handled by ${path}`])
    }
  })

  it('whatever the target looks like: only the handler of an exempt route is ever reached, and by its own path', async () => {
    let reached = 0
    await fc.assert(
      fc.asyncProperty(target, async (path) => {
        const reply = await ask(port, { method: 'POST', path, headers: FOREIGN, body: 'a' })
        if (reply.status !== 200) {
          expect([400, 403]).toContain(reply.status)
          return
        }
        reached += 1
        const [, handler = ''] = /^handled by (.*)$/.exec(reply.body) ?? []
        expect(HOOKS).toContain(handler)
        expect(path.replace(/^https?:\/\/[^/]*/i, '').split('?')[0]).toBe(handler)
      }),
      { numRuns: 1500 },
    )
    expect(reached).toBeGreaterThan(10)
  })

  it('no other method is exempt, whatever it is', async () => {
    for (const method of ['PUT', 'PATCH', 'DELETE', 'PROPFIND', 'LINK', 'M-SEARCH'])
      expect([method, (await ask(port, { method, path: '/hook', headers: FOREIGN, body: 'a' })).status]).toEqual([
        method,
        403,
      ])
  })
})

describe.each(Object.entries(EXPRESSES))('%s', (_name, create) => {
  async function rewriting(rewrite: (url: string) => string): Promise<(path: string) => Promise<[number, string]>> {
    const { sessions } = await shopSessions()
    const app = create()
    app.use((request, _response, next) => {
      request.url = rewrite(request.url)
      next()
    })
    app.use(holdfast(sessions, skip))
    app.post('/hook', named('/hook')).post('/pay', named('/pay'))
    const server = await listen(createServer(app))
    closing.push(server.close)
    return async (path) => {
      const { status, body } = await ask(server.port, { method: 'POST', path, headers: FOREIGN, body: 'a' })
      return [status, status === 200 ? body : '']
    }
  }

  it('what a middleware above makes of the address counts, and not what it was', async () => {
    const post = await rewriting((url) => (url === '/hook' ? '/pay' : url.replace('/v1/', '/')))
    expect(await post('/hook')).toEqual([403, ''])
    expect(await post('/v1/hook')).toEqual([200, 'handled by /hook'])
    expect(await post('/v1/pay')).toEqual([403, ''])
  })

  it('the whole path counts where the middleware is mounted below one, in a router or in an application of its own', async () => {
    const { sessions } = await shopSessions()
    const bank = create()
    const vault = create.Router()
    vault.use(holdfast(sessions, skip)).post(['/', '/hook', '/pay'], named('the vault'))
    bank.use('/vault', vault).use(holdfast(sessions, skip)).post(['/', '/hook', '/pay'], named('the bank'))
    const app = create()
    app.use('/bank', bank).use('/hook', bank)
    const server = await listen(createServer(app))
    closing.push(server.close)
    const post = async (path: string): Promise<number> =>
      (await ask(server.port, { method: 'POST', path, headers: FOREIGN, body: 'a' })).status
    const passed = ['/bank', '/bank?x', '/bank/hook', '/bank/vault/hook', '/hook']
    const refused = [
      '/bank/',
      '/bank/pay',
      '/bank/vault',
      '/bank/vault/pay',
      '/hook/',
      '/hook/hook',
      '/hook/vault',
      '/Bank/hook',
    ]
    for (const path of passed) expect([path, await post(path)]).toEqual([path, 200])
    for (const path of refused) expect([path, await post(path)]).toEqual([path, 403])
  })

  it('what is left of it in originalUrl fools nobody', async () => {
    const post = await rewriting((url) => (url.startsWith('/hook?to=') ? url.slice('/hook?to='.length) : url))
    expect(await post('/hook?to=/pay')).toEqual([403, ''])
  })
})

const UNFIT: readonly unknown[] = [
  { method: 'POST', path: '/hook' },
  { method: 'post', path: '/hook', reason: because },
  { method: 'POST', path: '/hook', reason: ' ' },
  { method: 'POST', path: '/hook', reason: 7 },
  { method: ['POST', 'PUT'], path: '/hook', reason: because },
  { method: '*', path: '/hook', reason: because },
  { method: 'GET', path: '/hook', reason: because },
  { method: 'POST', path: /hook/, reason: because },
  { method: 'POST', path: '/a b', reason: because },
  { method: 'POST', path: '', reason: because },
  { method: 'POST', path: '/hook', why: because, reason: because },
]
const UNFIT_PATHS = String.raw`hook //hook /./hook /x/../hook /hook/.. /hook?x /hook#x /hook* /hook/:id
  /a\b /a%2fb /a%5Cb /%2e%2e/b /h% /h%0 /höok /{hook} /hook|/pay /[h]ook`.split(/\s+/)

describe('the list of exemptions', () => {
  const unfit = [...UNFIT, ...UNFIT_PATHS.map((path) => ({ method: 'POST', path, reason: because }))]

  it.each(unfit)('refuses %j', async (entry) => {
    const { sessions } = await shopSessions()
    expect(() => holdfast(sessions, { [dangerouslySkipCsrf]: [entry as SkippedRoute] })).toThrow(OptionsError)
  })

  it('refuses what is no list', async () => {
    const { sessions } = await shopSessions()
    const list = '/hook' as unknown as readonly SkippedRoute[]
    expect(() => holdfast(sessions, { [dangerouslySkipCsrf]: list })).toThrow(OptionsError)
  })

  it.each(['/', '/hook/', '/a/b.c/d-e_f~g', '/v1/hooks:push', '/hook;v=1', '/%68ook', '/...', '/a(b)', '/a=b&c'])(
    'takes %s',
    async (path) => {
      const { sessions } = await shopSessions()
      expect(() =>
        holdfast(sessions, { [dangerouslySkipCsrf]: [{ method: 'POST', path, reason: because }] }),
      ).not.toThrow()
    },
  )
})

const ROUTERS: Readonly<Record<string, FastifyServerOptions>> = {
  'as it comes': {},
  'with every leniency that its router has': {
    useSemicolonDelimiter: true,
    routerOptions: {
      caseSensitive: false,
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
    },
  },
  'behind a rewritten address': {
    rewriteUrl: ({ url = '/' }) => (url === '/hook' ? '/pay' : url.replace('/v1/', '/')),
  },
}

describe.each(Object.entries(ROUTERS))('Fastify %s', (name, options) => {
  let port = 0
  let app: FastifyInstance
  const checked = new Set<string>()
  beforeAll(async () => {
    const { sessions } = await shopSessions()
    app = fastify({ ...options, forceCloseConnections: true })
    await app.register(holdfastForFastify, { sessions })
    const exempt = { config: { holdfast: { [dangerouslySkipCsrf]: because } } }
    app.post('/hook', exempt, async () => 'exempt')
    app.post('/hook/:provider', exempt, async () => 'exempt')
    app.post('/pay', async () => 'pay')
    await app.register(
      async (bank) => {
        bank.post('/hook', exempt, async () => 'exempt')
        bank.post('/pay', async () => 'pay')
        bank.post('/*', async () => 'rest')
      },
      { prefix: '/bank' },
    )
    await app.listen({ port: 0, host: '127.0.0.1' })
    closing.push(() => app.close())
    port = (app.server.address() as { port: number }).port
  })
  afterEach(() => checked.clear())

  it('whatever the target looks like: only the handler of an exempt route is ever reached', async () => {
    let reached = 0
    await fc.assert(
      fc.asyncProperty(target, async (path) => {
        const reply = await ask(port, { method: 'POST', path, headers: FOREIGN, body: 'a' })
        if (reply.status !== 200) {
          expect([400, 403, 404]).toContain(reply.status)
          return
        }
        reached += 1
        expect(reply.body).toBe('exempt')
      }),
      { numRuns: 1500 },
    )
    expect(reached).toBeGreaterThan(10)
  })

  it('goes by the route that its router chose', async () => {
    const rewritten = name.includes('rewritten')
    const post = async (path: string): Promise<number> =>
      (await ask(port, { method: 'POST', path, headers: FOREIGN, body: 'a' })).status
    expect(await post('/hook')).toBe(rewritten ? 403 : 200)
    expect(await post('/v1/hook')).toBe(rewritten ? 200 : 403)
    expect(await post('/hook/stripe')).toBe(200)
    expect(await post('/bank/hook')).toBe(200)
    expect(await post('/bank/hook/')).toBe(name.includes('leniency') ? 200 : 403)
  })
})

it('Fastify: a route that is any number of paths cannot be exempt', async () => {
  const { sessions } = await shopSessions()
  const app = fastify()
  await app.register(holdfastForFastify, { sessions })
  const exempt = { config: { holdfast: { [dangerouslySkipCsrf]: because } } }
  for (const path of ['*', '/*', '/hook/*']) expect(() => app.post(path, exempt, async () => '')).toThrow(OptionsError)
})
