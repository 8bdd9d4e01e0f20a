/** What happens to a request before the application has it. */
import { describe, expect, test } from 'vitest'

import { implementations, type TestedRequest } from './implementations.ts'
import { cookieFor, open, SECRET } from './site.ts'

const stored = (members: object): string => JSON.stringify({ cookie: { originalMaxAge: null }, ...members })

describe.each(implementations)('$name', ({ session, differs }) => {
  function memoryWith(sessions: Record<string, string>): InstanceType<typeof session.MemoryStore> {
    const store = new session.MemoryStore()
    Object.assign(store.sessions, sessions)
    return store
  }

  test('a request that has a session already is left alone', async () => {
    const middleware = session({ secret: SECRET, resave: false, saveUninitialized: false })
    const request = { session: {}, headers: {} } as TestedRequest
    let asked = 0
    middleware(request, undefined as never, () => asked++)
    expect([asked, Object.keys(request)]).toEqual([1, ['session', 'headers']])
  })

  test('while the store is disconnected there is no session, and no store on the request', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, (request, response) =>
      response.end(`${typeof request.session} ${'sessionStore' in request}`),
    )
    store.emit('disconnect')
    expect((await site.get()).body).toBe('undefined false')
    store.emit('connect')
    expect((await site.get()).body).toBe('object true')
  })

  test.each([
    ['/admin', '/admin', true],
    ['/admin', '/admin/users?x=1', true],
    ['/admin', '/administrator', true],
    ['/admin', '/', false],
    ['/admin', '/adm', false],
    ['/admin', '/?/admin', false],
    ['/', '/anything', true],
    ['', '/anything', true],
  ])('cookie.path %j, request %j: a session %j', async (path, asked, has) => {
    for (const cookie of [{ path }, () => ({ path })]) {
      await using site = await open(session, { cookie }, (request, response) =>
        response.end(String(request.session !== undefined)),
      )
      expect((await site.get({ path: asked })).body).toBe(String(has))
    }
  })

  test('the path is the one that the browser asked for, wherever a router has mounted this', async () => {
    const asked = (request: TestedRequest): void => {
      Object.assign(request, { originalUrl: request.url, url: '/' })
    }
    const options = { cookie: { path: '/a' } }
    await using site = await open(session, options, ({ session: own }, response) => response.end(typeof own), asked)
    expect((await site.get({ path: '/a/b' })).body).toBe('object')
    expect((await site.get({ path: '/b' })).body).toBe('undefined')
  })

  test('without a secret there is an error', async () => {
    await using site = await open(session, { secret: undefined }, () => undefined)
    await site.get()
    expect(site.errors).toEqual(['secret option required for sessions'])
  })

  test('a secret of cookie-parser stands in', async () => {
    const options = { secret: undefined, store: memoryWith({ mine: stored({}) }) }
    const parsed = (request: TestedRequest): void => {
      request['secret'] = SECRET
    }
    await using site = await open(session, options, (request, response) => response.end(request.sessionID), parsed)
    expect((await site.get({ cookie: cookieFor('mine') })).body).toBe('mine')
  })

  test('sessionID is the id of the cookie, and sessionStore the store', async () => {
    const store = memoryWith({ mine: stored({ name: 'ada' }) })
    await using site = await open(session, { store }, (request, response) => {
      const { session: own, sessionID, sessionStore } = request
      response.end(JSON.stringify([sessionID, own!.id, Object.is(sessionStore, store), own!['name']]))
    })
    expect(JSON.parse((await site.get({ cookie: cookieFor('mine') })).body)).toEqual(['mine', 'mine', true, 'ada'])
  })

  test.each([
    ['with others around it', `a=1; ${cookieFor('mine')}; b=2`],
    ['in quotes', cookieFor('mine').replace('=', '="') + '"'],
    ['as it is, without percents', `connect.sid=${decodeURIComponent(cookieFor('mine').split('=')[1]!)}`],
    ['twice', `${cookieFor('mine')}; ${cookieFor('other')}`],
  ])('the cookie is found %s', async (_how, cookie) => {
    const store = memoryWith({ mine: stored({ name: 'ada' }), other: stored({ name: 'bob' }) })
    await using site = await open(session, { store }, (request, response) =>
      response.end(String(request.session!['name'])),
    )
    expect((await site.get({ cookie })).body).toBe('ada')
  })

  test.each([
    ['forged', 'connect.sid=s%3Amine.forged'],
    ['of a session that is gone', cookieFor('gone')],
  ])('a first value that is %s hides the second: a login that never succeeds', async (_what, first) => {
    const store = memoryWith({ mine: stored({ name: 'ada' }) })
    await using site = await open(session, { store }, (request, response) =>
      response.end(String(request.session!['name'])),
    )
    const { body } = await site.get({ cookie: `${first}; ${cookieFor('mine')}` })
    expect(body).toBe(differs({ original: 'undefined', dropIn: 'ada' }))
  })

  test('all secrets verify, the first signs', async () => {
    const store = memoryWith({ mine: stored({}) })
    const options = { store, secret: ['new', SECRET], rolling: true }
    await using site = await open(session, options, (request, response) => response.end(String(request.sessionID)))
    const answer = await site.get({ cookie: cookieFor('mine') })
    expect(answer.body).toBe('mine')
    expect(answer.cookies[0]!.split(';')[0]).toBe(cookieFor('mine', { secret: 'new' }))
  })

  test.each([[{ name: 'sid' }], [{ key: 'sid' }]])('%j names the cookie', async (options) => {
    await using site = await open(session, options, (request, response) => {
      request.session!['a'] = 1
      response.end()
    })
    expect((await site.get()).cookies[0]).toMatch(/^sid=s%3A/)
  })

  test.each([
    ['signedCookies', { 'connect.sid': 'mine' }],
    ['cookies', { 'connect.sid': decodeURIComponent(cookieFor('mine').split('=')[1]!) }],
  ])('what cookie-parser left in %s is taken where the header has none', async (member, cookies) => {
    const parsed = (request: TestedRequest): void => {
      request[member] = cookies
    }
    const store = memoryWith({ mine: stored({ name: 'ada' }) })
    await using site = await open(session, { store }, (request, response) => response.end(request.sessionID), parsed)
    expect((await site.get()).body).toBe('mine')
  })

  test.each([
    ['an error', (done: (error: unknown) => void) => done(new Error('broken')), ['broken']],
    ['ENOENT', (done: (error: unknown) => void) => done(Object.assign(new Error('none'), { code: 'ENOENT' })), []],
    ['nothing', (done: (error?: unknown) => void) => done(), []],
    ['null', (done: (error: unknown, data: unknown) => void) => done(null, null), []],
  ])('a store that answers %s', async (_what, answer, errors) => {
    const store = Object.assign(new session.MemoryStore(), { get: (_id: string, done?: never) => answer(done!) })
    await using site = await open(session, { store }, (request, response) => response.end(typeof request.session))
    const { body } = await site.get({ cookie: cookieFor('mine') })
    expect([body, site.errors]).toEqual([errors.length === 0 ? 'object' : 'failed', errors])
  })

  test('a record without a cookie is an error', async () => {
    await using site = await open(session, { store: memoryWith({ mine: '{"a":1}' }) }, () => undefined)
    await site.get({ cookie: cookieFor('mine') })
    expect(site.errors[0]).toMatch(/Cannot read prop/)
  })

  test('stored names of members are left out, others are there', async () => {
    const store = memoryWith({ mine: '{"save":1,"id":2,"toString":3,"req":4,"touch":5,"name":"ada","cookie":{}}' })
    await using site = await open(session, { store }, ({ session: mine }, response) => {
      response.end(JSON.stringify([Object.keys(mine!), typeof mine!.save, mine!.id, typeof mine!.touch]))
    })
    const { body } = await site.get({ cookie: cookieFor('mine') })
    expect(JSON.parse(body)).toEqual([['name', 'cookie'], 'function', 'mine', 'function'])
  })

  test('an id of our own is 24 random bytes in base64url; genid is given the request', async () => {
    const said: unknown[] = []
    await using site = await open(session, {}, (request, response) => response.end(String(request.sessionID)))
    expect((await site.get()).body).toMatch(/^[\w-]{32}$/)
    const genid = ({ url }: TestedRequest): string => {
      said.push(url)
      return 'mine'
    }
    await using other = await open(session, { genid }, (request, response) => response.end(String(request.sessionID)))
    expect([(await other.get({ path: '/a' })).body, said]).toEqual(['mine', ['/a']])
  })

  test('a genid that throws is an error', async () => {
    const genid = (): never => {
      throw new Error('no more ids')
    }
    const middleware = session({ secret: SECRET, resave: false, saveUninitialized: false, genid })
    const said: unknown[] = []
    // The original throws, which Express makes the same of.
    try {
      middleware({ headers: {}, url: '/' } as TestedRequest, {} as never, (error) =>
        said.push((error as Error).message),
      )
    } catch (error) {
      said.push((error as Error).message)
    }
    expect(said).toEqual(['no more ids'])
  })

  test('a store that goes away and comes back while a request is under way serves it', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store }, (request, response) => {
      store.emit('disconnect')
      request.session!['a'] = 1
      response.end()
    })
    await site.get()
    expect(Object.keys(store.sessions).length).toBe(1)
  })

  test('two middlewares on one store: each request has the cookie of its own', async () => {
    const store = new session.MemoryStore()
    await using site = await open(session, { store, cookie: { path: '/' } }, (request, response) => {
      request.session!['a'] = 1
      response.end()
    })
    session({ secret: SECRET, resave: false, saveUninitialized: false, store, cookie: { path: '/admin' } })
    await using renewing = await open(session, { store, cookie: { path: '/' } }, (request, response) => {
      session({ secret: SECRET, resave: false, saveUninitialized: false, store, cookie: { path: '/admin' } })
      request.session!.regenerate(() => response.end())
    })
    expect((await renewing.get()).cookies[0]).toContain(differs({ original: 'Path=/admin', dropIn: 'Path=/;' }))
    // In the original the middleware made last decides for both.
    expect((await site.get()).cookies[0]).toContain(differs({ original: 'Path=/admin', dropIn: 'Path=/;' }))
  })
})
