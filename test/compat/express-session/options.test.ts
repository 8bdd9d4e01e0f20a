/** Options and their mistakes, deprecations and warnings. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { implementations, type TestedRequest } from './implementations.ts'
import { open } from './site.ts'

describe.each(implementations)('$name', ({ session, differs }) => {
  const deprecated: string[] = []
  const note = (error: Error): unknown => deprecated.push(error.message)
  beforeEach(() => {
    deprecated.length = 0
    ;(process as NodeJS.EventEmitter).on('deprecation', note)
  })
  afterEach(() => {
    ;(process as NodeJS.EventEmitter).off('deprecation', note)
  })

  test('the function has the classes, and makes named functions of three parameters', () => {
    expect(Object.keys(session).toSorted()).toEqual(['Cookie', 'MemoryStore', 'Session', 'Store'])
    const middleware = session({ secret: 'x', resave: false, saveUninitialized: false })
    expect([typeof session, middleware.name, middleware.length]).toEqual(['function', 'session', 3])
  })

  test.each([
    [{ genid: 'text' }, /genid.*must/],
    [{ unset: 'erase' }, /unset.*must/],
    [{ secret: [] }, /secret option array/],
  ])('%j is an error', (options, message) => {
    expect(() => session({ secret: 'x', resave: false, saveUninitialized: false, ...options })).toThrow(message)
  })

  test.each([
    [{ saveUninitialized: false, secret: 'x' }, ['undefined resave option; provide resave option']],
    [{ resave: false, secret: 'x' }, ['undefined saveUninitialized option; provide saveUninitialized option']],
    [{ resave: false, saveUninitialized: false }, ['req.secret; provide secret option']],
    [{ resave: false, saveUninitialized: false, secret: 'x' }, []],
  ])('%j is told of', (options, messages) => {
    session(options)
    expect(deprecated).toEqual(messages)
  })

  test('each place is told of once', () => {
    for (let time = 0; time < 3; time++) session({ resave: false, secret: 'x' })
    expect(deprecated.length).toBe(1)
  })

  test.each(['production', 'development'])('MemoryStore in %s', (environment) => {
    vi.stubEnv('NODE_ENV', environment)
    const said: string[] = []
    vi.spyOn(console, 'warn').mockImplementation((text: string) => void said.push(text))
    vi.spyOn(process, 'emitWarning').mockImplementation((text) => void said.push(String(text)))
    session({ secret: 'x', resave: false, saveUninitialized: false })
    // The original looks when it is loaded.
    expect(said.length).toBe(environment === 'production' ? differs({ original: 0, dropIn: 1 }) : 0)
    if (said.length > 0) expect(said[0]).toMatch(/MemoryStore.*not\s+designed for.*production/s)
    said.length = 0
    session({ secret: 'x', resave: false, saveUninitialized: false, store: new session.Store() })
    expect(said).toEqual([])
  })

  test('maxAge as a Date is taken, and told of', () => {
    const cookie = new session.Cookie()
    cookie.maxAge = new Date(Date.now() + 5_000)
    expect(cookie.expires).toBeInstanceOf(Date)
    expect(deprecated).toEqual(['maxAge as Date; pass number of milliseconds instead'])
  })

  test('a cookie that only cookie-parser has seen is told of', async () => {
    const parsed = (request: TestedRequest): void => void (request['signedCookies'] = { 'connect.sid': 'mine' })
    await using site = await open(session, {}, (_request, response) => response.end(), parsed)
    await site.get()
    expect(deprecated).toEqual(['cookie should be available in req.headers.cookie'])
  })

  test('NO_DEPRECATION silences it', () => {
    vi.stubEnv('NO_DEPRECATION', 'express-session')
    session({ resave: false, secret: 'x' })
    // The original looks when it is loaded.
    expect(deprecated.length).toBe(differs({ original: 1, dropIn: 0 }))
  })

  test('every key of createHmac will do as a secret', () => {
    for (const secret of ['text', Buffer.from('bytes'), ['a', Buffer.from('b')]])
      expect(session({ secret, resave: false, saveUninitialized: false })).toBeTypeOf('function')
  })
})
