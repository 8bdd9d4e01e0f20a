/** Passport with a form of name and password, which makes sessions anew and saves them by itself; and connect-flash. */
import type { Express, RequestHandler } from 'express'
import { describe, expect, test, vi } from 'vitest'

import { middlewareOf, peer, serve, sessionOf, shown, stacks, type Serving, type Stack } from './stack.ts'

type Done = (error: unknown, value?: unknown, why?: object) => void

interface Passport {
  use(strategy: object): void
  serializeUser(write: (user: object, done: Done) => void): void
  deserializeUser(read: (id: string, done: Done) => void): void
  initialize(): RequestHandler
  session(): RequestHandler
  authenticate(strategy: string, options: object): RequestHandler
}

interface Entered {
  readonly user?: { readonly name: string }
  logout(options: object, done: (error?: unknown) => void): void
  flash(kind: string): string[]
}

const { Passport } = await peer<{ Passport: new () => Passport }>('passport')
const { Strategy } = await peer<{ Strategy: new (verify: (name: string, word: string, done: Done) => void) => object }>(
  'passport-local',
)
const flash = await peer<() => RequestHandler>('connect-flash')

function passportOf(): Passport {
  const passport = new Passport()
  const verify = (name: string, word: string, done: Done): void =>
    word === 'open sesame' ? done(null, { name }) : done(null, false, { message: `not you, ${name}` })
  passport.use(new Strategy(verify))
  passport.serializeUser((user, done) => done(null, (user as { name: string }).name))
  passport.deserializeUser((name, done) => done(null, { name }))
  return passport
}

interface Shop extends Serving {
  /** What the store was asked since it was last looked at. */
  calls(): string[]
  /** Lets the request that waits at `/slow` go on. */
  goOn(): void
  readonly waits: boolean
}

async function open(stack: Stack, options: object = {}): Promise<Shop> {
  const { express, session } = stack
  const passport = passportOf()
  const store = new session.MemoryStore()
  const calls: string[] = []
  for (const method of ['set', 'destroy', 'touch'] as const) {
    const call = store[method] as (...values: unknown[]) => unknown
    store[method] = (...values: unknown[]) => {
      calls.push(method)
      return call.apply(store, values)
    }
  }
  let goOn: (() => void) | undefined
  const app: Express = express()
  app.use(express.urlencoded({ extended: false }))
  app.use(middlewareOf(stack, { store, ...options }))
  app.use(flash())
  app.use(passport.initialize())
  app.use(passport.session())
  app.post('/cart', (request, response) => {
    sessionOf(request)['cart'] = 'a book'
    response.redirect('/')
  })
  const failing = { successRedirect: '/', failureRedirect: '/login', failureFlash: true }
  app.post('/login', passport.authenticate('local', failing))
  app.post('/login-keeping', passport.authenticate('local', { ...failing, keepSessionInfo: true }))
  app.get('/login', (request, response) => {
    response.send((request as unknown as Entered).flash('error').join() || 'please')
  })
  app.post('/logout', (request, response, next) => {
    const left = (error?: unknown): void => (error ? next(error) : response.redirect('/'))
    ;(request as unknown as Entered).logout({}, left)
  })
  app.get('/slow', (request, response) => {
    goOn = () => {
      sessionOf(request)['seen'] = true
      response.send('late')
    }
  })
  app.get('/', (request, response) => {
    const { user } = request as unknown as Entered
    response.send(`${user?.name ?? 'nobody'}, ${shown(request, 'cart')}`)
  })
  const serving = await serve(app)
  return {
    ...serving,
    calls: () => calls.splice(0),
    goOn: () => goOn!(),
    get waits() {
      return goOn !== undefined
    },
  }
}

const GOOD = { username: 'ada', password: 'open sesame' }

describe.each(stacks)('$framework, $name', (stack) => {
  test('who signs in is signed in on the next page, under a new id; the old one reaches nothing', async () => {
    await using shop = await open(stack)
    const browser = shop.browser()
    await browser.submit('/cart')
    const before = browser.copy()
    shop.calls()
    const entered = await browser.submit('/login', GOOD)
    // The original does not see that the session was saved already.
    expect(shop.calls()).toEqual(['destroy', 'set', ...stack.differs({ original: ['set'], dropIn: [] })])
    expect((await browser.follow(entered)).text).toBe('ada, nothing')
    expect(browser.cookie).not.toBe(before.cookie)
    expect((await before.ask('/')).text).toBe('nobody, nothing')
  })

  test('keepSessionInfo: the cart comes along', async () => {
    await using shop = await open(stack)
    const browser = shop.browser()
    await browser.submit('/cart')
    expect((await browser.follow(await browser.submit('/login-keeping', GOOD))).text).toBe('ada, a book')
  })

  test('who does not is told so, once', async () => {
    await using shop = await open(stack)
    const browser = shop.browser()
    const refused = await browser.submit('/login', { username: 'eve', password: 'sesame' })
    expect(refused.headers.get('location')).toBe('/login')
    expect((await browser.follow(refused)).text).toBe('not you, eve')
    expect((await browser.ask('/login')).text).toBe('please')
  })

  test('who signs out is signed out, with every cookie of before', async () => {
    await using shop = await open(stack)
    const browser = shop.browser()
    await browser.submit('/login', GOOD)
    const kept = browser.copy()
    expect((await browser.follow(await browser.submit('/logout'))).text).toBe('nobody, nothing')
    expect((await kept.ask('/')).text).toBe('nobody, nothing')
  })

  test('a request that is under way meanwhile', async () => {
    await using shop = await open(stack)
    const browser = shop.browser()
    await browser.submit('/login', GOOD)
    const kept = browser.copy()
    const slow = kept.copy().ask('/slow')
    await vi.waitFor(() => expect(shop.waits).toBe(true))
    await browser.submit('/logout')
    shop.goOn()
    expect((await slow).text).toBe('late')
    // In the original it brings the session back that its visitor has left.
    expect((await kept.ask('/')).text).toBe(stack.differs({ original: 'ada, nothing', dropIn: 'nobody, nothing' }))
  })

  test('with rolling, resave and saveUninitialized, as many applications still have it', async () => {
    await using shop = await open(stack, {
      rolling: true,
      resave: true,
      saveUninitialized: true,
      cookie: { maxAge: 60_000 },
    })
    const browser = shop.browser()
    expect((await browser.ask('/')).cookies.length).toBe(1)
    await browser.submit('/login', GOOD)
    const page = await browser.ask('/')
    expect([page.text, page.cookies.length]).toEqual(['ada, nothing', 1])
    await browser.submit('/logout')
    expect((await browser.ask('/')).text).toBe('nobody, nothing')
  })
})
