/** The drop-in on Holdfast's own sessions: two servers, one store, and what plain stores cannot give. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import session from 'holdfast/express-session'
import { holdfastStore } from 'holdfast/express-session/store'
import { describe, expect, test, vi } from 'vitest'

import { resolveOptions } from '../../../src/core/options.ts'
import { Manager } from '../../../src/core/sessions.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { faultyStore, type FaultyStore } from '../../../src/testing/faulty-store.ts'
import { OptionsError } from '../../../src/errors.ts'
import type { Tested, TestedRequest, TestedStore } from './implementations.ts'
import { cookieFor, open, type Handler, type Site } from './site.ts'

const tested = session as unknown as Tested
const log = { warn: () => undefined, error: () => undefined }

function managerOn(store: FaultyStore): Manager<object> {
  return new Manager({ settings: resolveOptions({ log }), secret: 'a secret of at least thirty-two bytes', store })
}

/** Servers of one application, each with a process's worth of state of its own. */
async function servers(count: number, handler: Handler, options: Record<string, unknown> = {}) {
  const store = faultyStore(memoryStore())
  const managers = Array.from({ length: count }, () => managerOn(store))
  const sites: Site[] = []
  for (const manager of managers) {
    const behind = holdfastStore(manager) as unknown as TestedStore
    sites.push(await open(tested, { ...options, store: behind }, handler))
  }
  return {
    store,
    managers,
    sites: sites as [Site, Site, ...Site[]],
    async [Symbol.asyncDispose]() {
      for (const site of sites) await site[Symbol.asyncDispose]()
      for (const manager of managers) await manager.close()
    },
  }
}

const COUNTS: Handler = (request, response) => {
  request.session!['count'] = Number(request.session!['count'] ?? 0) + 1
  response.end(String(request.session!['count']))
}

/** Holds back each request until as many have come as are awaited. */
function together(count: number): () => Promise<void> {
  const waiting: (() => void)[] = []
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (waiting.length === count) for (const go of waiting.splice(0)) go()
    })
}

test('a session is there on the other server', async () => {
  await using application = await servers(2, COUNTS)
  const [one, two] = application.sites
  expect((await one.get()).body).toBe('1')
  expect((await two.get({ cookie: one.cookie })).body).toBe('2')
  expect((await one.get()).body).toBe('3')
})

test('I2: 20 requests at once on two servers, each with a key of its own: none is lost', async () => {
  const all = together(20)
  await using application = await servers(2, async (request, response) => {
    const key = request.url!.slice(1)
    if (key !== 'begin') await all()
    request.session![key] = true
    response.end(JSON.stringify(request.session))
  })
  const [one, two] = application.sites
  await one.get({ path: '/begin' })
  const { cookie } = one
  const requests = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? one : two).get({ path: `/key${at}`, cookie }))
  await Promise.all(requests)
  const { body } = await two.get({ path: '/begin', cookie })
  expect(Object.keys(JSON.parse(body) as object).filter((key) => key.startsWith('key')).length).toBe(20)
})

describe.each([
  ['destroy', 'a change'],
  ['destroy', 'save()'],
  ['regenerate', 'a change'],
] as const)('I3: a session that met %s on the other server', (end, late) => {
  test(`is not brought back by ${late}`, async () => {
    let goOn: (() => void) | undefined
    await using application = await servers(2, async (request, response) => {
      if (request.url === '/end') return request.session![end](() => response.end())
      if (request.url === '/late') await new Promise<void>((resolve) => (goOn = resolve))
      if (late === 'save()' && request.url === '/late') {
        request.session!['late'] = true
        return request.session!.save(() => response.end())
      }
      return COUNTS(request, response, () => undefined)
    })
    const [one, two] = application.sites
    await one.get()
    const { cookie } = one
    const slow = one.get({ path: '/late', cookie })
    await vi.waitFor(() => expect(goOn).toBeDefined())
    await two.get({ path: '/end', cookie })
    goOn!()
    const answer = await slow
    expect([answer.status, answer.cookies]).toEqual([200, []])
    expect(application.managers[0]!.stats().dropped).toBe(1)
    expect((await one.get({ cookie })).body).toBe('1')
  })
})

test('I8: nothing in the store leads to an id', async () => {
  await using application = await servers(2, COUNTS)
  const [one] = application.sites
  const created = vi.spyOn(application.store, 'create')
  const { cookies } = await one.get()
  const id = decodeURIComponent(cookies[0]!).slice('connect.sid=s:'.length).split('.')[0]!
  const [selector, record] = created.mock.calls[0]!
  expect(selector).toMatch(/^[\w-]{24}$/)
  for (const part of [id, id.slice(0, 8), id.slice(-8)])
    expect([selector.includes(part), Buffer.from(record).includes(part)]).toEqual([false, false])
})

test('a session that does not change is stored once, and touched at most once per interval', async () => {
  await using application = await servers(
    2,
    (request, response) => {
      request.session!['seen'] = true
      response.end()
    },
    { resave: true, rolling: true, cookie: { maxAge: 60_000 } },
  )
  const [one] = application.sites
  await one.get()
  const before = application.managers[0]!.stats()
  for (let visit = 0; visit < 5; visit++) expect((await one.get()).cookies.length).toBe(1)
  const { commits } = application.managers[0]!.stats()
  expect([commits.saved - before.commits.saved, commits.touched - before.commits.touched]).toEqual([0, 0])
})

test('values are what JSON makes of them, as in other stores', async () => {
  await using application = await servers(2, (request, response) => {
    request.session!['date'] ??= new Date(0)
    response.end(typeof request.session!['date'])
  })
  const [one] = application.sites
  expect((await one.get()).body).toBe('object')
  expect((await one.get()).body).toBe('string')
})

test('I6: a store that fails is an error, and no session that is over', async () => {
  await using application = await servers(2, COUNTS)
  const [one] = application.sites
  await one.get()
  application.store.faults = { fail: () => 'refuse' }
  const answer = await one.get()
  expect([answer.status, answer.cookies]).toEqual([500, []])
  expect(one.errors[0]).toContain('load')
  application.store.faults = {}
  await vi.waitFor(async () => expect((await one.get()).body).toBe('2'), { timeout: 5_000 })
})

test('I3: a session that ran out while a request was under way is not stored again', async () => {
  await using application = await servers(2, async (request, response) => {
    if (request.session!['count'] !== undefined) {
      const { store } = application
      for (const method of ['load', 'replace'] as const)
        vi.spyOn(store, method).mockReturnValue(
          (method === 'load' ? undefined : { done: false, found: undefined }) as never,
        )
    }
    COUNTS(request, response, () => undefined)
  })
  const [one] = application.sites
  await one.get()
  const created = vi.spyOn(application.store, 'create')
  expect((await one.get()).status).toBe(200)
  expect([created.mock.calls.length, application.managers[0]!.stats().dropped]).toEqual([0, 1])
})

test('an unknown id is a new session under another id', async () => {
  await using application = await servers(2, COUNTS)
  const answer = await application.sites[0].get({ cookie: cookieFor('unknown') })
  expect([answer.body, answer.cookies.length]).toEqual(['1', 1])
})

test('revokeAll ends these sessions, too', async () => {
  await using application = await servers(2, COUNTS)
  const [one] = application.sites
  await one.get()
  await application.managers[0]!.revokeAll()
  expect((await one.get()).body).toBe('1')
})

test('a session without a request: for sockets and jobs', async () => {
  await using application = await servers(2, COUNTS)
  const [one] = application.sites
  await one.get()
  const id = decodeURIComponent(one.cookie!).slice('connect.sid=s:'.length).split('.')[0]!
  const store = holdfastStore(application.managers[1]!)
  const mine = (await store.load(id)) as NonNullable<TestedRequest['session']>
  mine['count'] = 41
  await mine.save()
  expect((await one.get()).body).toBe('42')
})

test('two saves that nobody waits for come one after the other: what the second has taken out stays out', async () => {
  await using application = await servers(2, async (request, response) => {
    const mine = request.session!
    if (request.url === '/read') return response.end(JSON.stringify(mine['flash'] ?? null))
    mine['flash'] = ['hello']
    const first = mine.save()
    delete mine['flash']
    await Promise.all([first, mine.save()])
    return response.end()
  })
  const [one, two] = application.sites
  for (let visit = 0; visit < 2; visit++) {
    await one.get()
    expect((await two.get({ path: '/read', cookie: one.cookie })).body).toBe('null')
  }
})

test('a conflict is told of by its place, but not that of the cookie, which every request moves', async () => {
  const all = together(2)
  const told: unknown[] = []
  await using application = await servers(
    2,
    async (request, response) => {
      if (request.url !== '/begin') await all()
      request.session!['cookieConsent'] = request.url
      response.end()
    },
    { cookie: { maxAge: 60_000 } },
  )
  const [one, two] = application.sites
  await one.get({ path: '/begin' })
  const { cookie } = one
  const listen = (message: unknown): unknown => told.push((message as { paths: unknown }).paths)
  subscribe('holdfast:conflict', listen)
  await Promise.all([one.get({ path: '/a', cookie }), two.get({ path: '/b', cookie })])
  unsubscribe('holdfast:conflict', listen)
  expect(told).toEqual([['cookieConsent']])
})

test('__proto__ in a form that was put into the session reaches no prototype, and merges as any member', async () => {
  await using application = await servers(2, (request, response) => {
    request.session!['form'] ??= JSON.parse('{"__proto__":{"admin":true},"a":1}')
    request.session!['at'] = Math.random()
    const form = request.session!['form'] as { admin?: true }
    response.end(JSON.stringify([({} as { admin?: true }).admin ?? null, form.admin ?? null, Object.keys(form)]))
  })
  const [one, two] = application.sites
  await one.get()
  const { cookie } = one
  await Promise.all([one.get({ cookie }), two.get({ cookie }), two.get({ cookie })])
  expect((await two.get({ cookie })).body).toBe('[null,null,["__proto__","a"]]')
})

test('what is no manager is refused', () => {
  expect(() => holdfastStore({} as never)).toThrow(OptionsError)
})
