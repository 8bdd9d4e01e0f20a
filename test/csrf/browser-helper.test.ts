/** `holdfast/browser` by itself: the page and its fetch are the test's. In Chromium it is tried with a real server. */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

import ts from 'typescript-6'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { csrf, type Csrf, type FormLike } from '../../src/browser/index.ts'

const ORIGIN = 'https://shop.example'

type Body = NonNullable<RequestInit['body']>

interface Sent {
  readonly url: string
  readonly method: string
  readonly token: string | null
  readonly mode: string | undefined
}

let sent: Sent[] = []
let answers: Response[] = []
let ended: unknown[] = []
let meta: string | undefined

const problem = (status: number, members: object): Response =>
  Response.json(members, { status, headers: { 'content-type': 'application/problem+json; charset=utf-8' } })
const refused = (members: object = {}): Response =>
  problem(403, { code: 'ERR_CSRF', reason: 'token-stale', token: 'fresh', ...members })

const send: typeof fetch = (input, init) => {
  const request = input instanceof Request ? input : undefined
  const headers = new Headers(init?.headers ?? request?.headers)
  sent.push({
    url: input instanceof Request ? input.url : input.toString(),
    method: init?.method ?? request?.method ?? 'GET',
    token: headers.get('x-csrf-token'),
    mode: init?.mode,
  })
  return Promise.resolve(answers.shift() ?? new Response('done'))
}

beforeEach(() => {
  ;[sent, answers, ended, meta] = [[], [], [], 'from the page']
  const listeners = new Map<string, unknown>()
  vi.stubGlobal('location', { origin: ORIGIN, href: `${ORIGIN}/cart?x` })
  vi.stubGlobal('document', {
    baseURI: `${ORIGIN}/cart/`,
    querySelector: () => (meta === undefined ? null : { content: meta }),
    createElement: () => ({ type: '', name: '', value: '' }),
    addEventListener: (type: string, listener: unknown) => listeners.set(type, listener),
    removeEventListener: (type: string) => listeners.delete(type),
    listeners,
  })
  vi.stubGlobal('dispatchEvent', (event: CustomEvent) => ended.push([event.type, event.detail]))
})
afterEach(() => void vi.unstubAllGlobals())

const make = (): Csrf => csrf({ fetch: send })
const tokens = (): unknown[] => sent.map(({ token }) => token)
const post = (body?: Body): RequestInit => ({ method: 'POST', ...(body === undefined ? {} : { body }) })

describe('fetch', () => {
  test.each(['/cart', 'add', `${ORIGIN}/cart`, `${ORIGIN}:443/cart`, '', '?x', '//shop.example/cart'])(
    'sends the token to %j',
    async (url) => {
      await make().fetch(url, post())
      expect(sent).toMatchObject([{ token: 'from the page', mode: 'same-origin' }])
    },
  )

  test.each([
    'https://evil.example/',
    'http://shop.example/',
    `${ORIGIN}:444/`,
    'https://www.shop.example/',
    '//evil.example/cart',
    'https://shop.example.evil.example/',
    'data:text/plain,x',
    'http://',
  ])('sends none to %j, nor changes anything else', async (url) => {
    await make().fetch(url, post('a'))
    expect(sent).toEqual([{ url, method: 'POST', token: null, mode: undefined }])
  })

  test.each(['GET', 'get', 'HEAD', 'OPTIONS', undefined])('sends none with %s', async (method) => {
    await make().fetch('/cart', method === undefined ? undefined : { method })
    expect(sent).toMatchObject([{ token: null, mode: undefined }])
  })

  test.each(['POST', 'post', 'PUT', 'PATCH', 'patch', 'DELETE', 'PROPFIND'])('sends one with %s', async (method) => {
    await make().fetch('/cart', { method })
    expect(tokens()).toEqual(['from the page'])
  })

  test('keeps the headers that are there, whatever they are written in', async () => {
    for (const headers of [{ a: '1' }, [['a', '1']] as [string, string][], new Headers({ a: '1' })]) {
      const spy = vi.fn<typeof fetch>(() => Promise.resolve(new Response('')))
      await csrf({ fetch: spy }).fetch('/cart', { method: 'POST', headers })
      const got = new Headers(spy.mock.calls[0]?.[1]?.headers)
      expect([got.get('a'), got.get('x-csrf-token')]).toEqual(['1', 'from the page'])
    }
  })

  test('leaves a token that is there alone, and does not try again for it', async () => {
    answers = [refused()]
    const answer = await make().fetch('/cart', { method: 'POST', headers: { 'X-CSRF-Token': 'my own' } })
    expect([tokens(), answer.status]).toEqual([['my own'], 403])
  })

  test('takes a Request as well', async () => {
    await make().fetch(new Request(`${ORIGIN}/cart`, { method: 'DELETE', headers: { a: '1' } }))
    await make().fetch(new Request('https://evil.example/', { method: 'DELETE' }))
    expect(tokens()).toEqual(['from the page', null])
  })

  test('sends without a token where none is known', async () => {
    meta = undefined
    await make().fetch('/cart', post())
    expect(tokens()).toEqual([null])
  })

  test('finds the token where it is told to', async () => {
    await csrf({ fetch: send, token: () => 'from a script' }).fetch('/cart', post())
    expect(tokens()).toEqual(['from a script'])
  })

  test("may take the place of the page's own", async () => {
    vi.stubGlobal('fetch', send)
    vi.stubGlobal('fetch', csrf().fetch)
    await fetch('/cart', post())
    expect(tokens()).toEqual(['from the page'])
  })
})

describe('a refusal with a new token', () => {
  test.each<[string, Body | undefined]>([
    ['nothing', undefined],
    ['a text', '{}'],
    ['a form', new FormData()],
    ['parameters', new URLSearchParams('a=1')],
    ['bytes', new Uint8Array(3)],
    ['a blob', new Blob(['a'])],
  ])('is tried again with it, once, where the body is %s', async (_name, body) => {
    answers = [refused(), new Response('done')]
    const helper = make()
    expect(await (await helper.fetch('/cart', post(body))).text()).toBe('done')
    expect(tokens()).toEqual(['from the page', 'fresh'])
    expect(helper.token()).toBe('fresh')
    await helper.fetch('/cart', post())
    expect(tokens()).toEqual(['from the page', 'fresh', 'fresh'])
  })

  test('is not tried a third time', async () => {
    answers = [refused(), refused({ token: 'fresher' }), new Response('never')]
    const helper = make()
    expect((await helper.fetch('/cart', post())).status).toBe(403)
    expect(tokens()).toEqual(['from the page', 'fresh'])
    expect(helper.token()).toBe('fresher')
  })

  test('is not tried again where the body is a stream, or that of a Request; the token is kept for the next', async () => {
    const stream = (): ReadableStream => new Blob(['a']).stream()
    for (const attempt of [
      (helper: Csrf) => helper.fetch('/cart', { ...post(stream()), duplex: 'half' }),
      (helper: Csrf) => helper.fetch(new Request(`${ORIGIN}/cart`, post('a'))),
    ]) {
      sent = []
      answers = [refused()]
      const helper = make()
      expect((await attempt(helper)).status).toBe(403)
      expect([sent.length, helper.token()]).toEqual([1, 'fresh'])
    }
  })

  test('of a Request without a body is tried again', async () => {
    answers = [refused(), new Response('done')]
    expect((await make().fetch(new Request(`${ORIGIN}/cart`, post()))).status).toBe(200)
    expect(tokens()).toEqual(['from the page', 'fresh'])
  })

  test.each<[string, Response]>([
    ['a 403 that is not ours', problem(403, { token: 'fresh' })],
    ['another error of ours', problem(403, { code: 'ERR_DATA', token: 'fresh' })],
    [
      'a 403 that is a page',
      new Response('{"code":"ERR_CSRF","token":"fresh"}', { status: 403, headers: { 'content-type': 'text/html' } }),
    ],
    ['a refusal without a token', refused({ token: undefined })],
    ['a token that is no text', refused({ token: { toString: 'x' } })],
    ['what is no JSON', new Response('{', { status: 403, headers: { 'content-type': 'application/problem+json' } })],
    ['an answer of another status', problem(200, { code: 'ERR_CSRF', token: 'fresh' })],
  ])('is not what %s is', async (_name, answer) => {
    answers = [answer]
    const helper = make()
    expect((await helper.fetch('/cart', post())).status).toBe(answer.status)
    expect([sent.length, helper.token()]).toEqual([1, 'from the page'])
  })

  test('of another origin is not believed', async () => {
    answers = [refused()]
    const helper = make()
    await helper.fetch('https://evil.example/', post())
    expect([sent.length, helper.token()]).toEqual([1, 'from the page'])
  })

  test('leaves the answer whole for who asked', async () => {
    answers = [refused({ reason: 'token-other-session', token: undefined })]
    expect(await (await make().fetch('/cart', post())).json()).toMatchObject({ reason: 'token-other-session' })
  })

  test('takes the place of the token that the page has, not of one that it gets later', async () => {
    answers = [refused(), new Response('done')]
    const helper = make()
    await helper.fetch('/cart', post())
    meta = 'of the next page'
    expect(helper.token()).toBe('of the next page')
  })
})

describe('the event holdfast:session-ended', () => {
  test.each<[Response, string]>([
    [problem(403, { code: 'ERR_CSRF', reason: 'session-ended' }), 'session-ended'],
    [problem(401, { code: 'ERR_SESSION_ENDED', reason: 'revoked' }), 'revoked'],
  ])('says so, with its reason, and nothing is tried again', async (answer, reason) => {
    answers = [answer]
    await make().fetch('/cart', post())
    expect([ended, sent.length]).toEqual([[['holdfast:session-ended', { reason }]], 1])
  })

  test('comes also where a page only asked for something', async () => {
    answers = [problem(401, { code: 'ERR_SESSION_ENDED', reason: 'expired' })]
    await make().fetch('/cart')
    expect(ended).toHaveLength(1)
  })

  test('does not come for another origin, nor for another 401', async () => {
    answers = [problem(401, { code: 'ERR_SESSION_ENDED' }), problem(401, { code: 'MINE' })]
    await make().fetch('https://evil.example/', post())
    await make().fetch('/cart', post())
    expect(ended).toEqual([])
  })
})

class FakeForm implements FormLike {
  readonly attributes: Record<string, string>
  readonly fields: { name: string; value: string; type: string }[]
  constructor(attributes: Record<string, string>, fields: FakeForm['fields'] = []) {
    this.attributes = attributes
    this.fields = fields
  }
  getAttribute(name: string): string | null {
    return this.attributes[name] ?? null
  }
  querySelector(): unknown {
    return this.fields.find(({ name }) => name === '_csrf') ?? null
  }
  append(...nodes: never[]): void {
    this.fields.push(...(nodes as FakeForm['fields']))
  }
  get token(): string | undefined {
    return this.fields.find(({ name }) => name === '_csrf')?.value
  }
}
const button = (attributes: Record<string, string>): FakeForm => new FakeForm(attributes)

describe('a form', () => {
  test.each([
    { method: 'post' },
    { method: 'POST', action: '/cart' },
    { method: 'post', action: '' },
    { method: 'post', action: `${ORIGIN}/x` },
  ])('gets its field: %j', (attributes) => {
    const form = new FakeForm(attributes)
    make().field(form)
    expect(form.fields).toEqual([{ type: 'hidden', name: '_csrf', value: 'from the page' }])
  })

  test.each([
    {},
    { method: 'get' },
    { method: 'dialog' },
    { method: 'post', action: 'https://evil.example/' },
    { method: 'post', action: 'http://shop.example/' },
  ])('gets none: %j', (attributes) => {
    const form = new FakeForm(attributes)
    make().field(form)
    expect(form.fields).toEqual([])
  })

  test('is what its button makes of it', () => {
    const form = new FakeForm({ method: 'post', action: '/cart' })
    make().field(form, button({ formaction: 'https://evil.example/' }))
    make().field(form, button({ formmethod: 'get' }))
    expect(form.fields).toEqual([])
    const other = new FakeForm({ action: 'https://evil.example/' })
    make().field(other, button({ formaction: '/cart', formmethod: 'post' }))
    expect(other.token).toBe('from the page')
  })

  test('loses its token again where another button sends it elsewhere', () => {
    const form = new FakeForm({ method: 'post' })
    const helper = make()
    helper.field(form)
    helper.field(form, button({ formaction: 'https://evil.example/' }))
    expect(form.token).toBe('')
    helper.field(form)
    expect(form.token).toBe('from the page')
  })

  test('keeps a token that the server put into it, which may be bound to a path or carry a cycle', () => {
    const form = new FakeForm({ method: 'post' }, [{ type: 'hidden', name: '_csrf', value: 'of a cycle' }])
    make().field(form)
    expect(form.fields).toEqual([{ type: 'hidden', name: '_csrf', value: 'of a cycle' }])
  })

  test('that the server left empty is filled, and gets a newer token the next time', () => {
    const form = new FakeForm({ method: 'post' }, [{ type: 'hidden', name: '_csrf', value: '' }])
    const helper = make()
    helper.field(form)
    expect(form.token).toBe('from the page')
    meta = 'newer'
    helper.field(form)
    expect([form.token, form.fields.length]).toEqual(['newer', 1])
  })

  test('is filled when it is submitted, and no more once that was stopped', () => {
    const { document } = globalThis as unknown as { document: { listeners: Map<string, (event: object) => void> } }
    const { listeners } = document
    const stop = make().forms()
    const form = new FakeForm({ method: 'post' })
    listeners.get('submit')?.({ target: form, submitter: null })
    expect(form.token).toBe('from the page')
    stop()
    expect(listeners.size).toBe(0)
  })
})

test('it is one file without imports, so that it can be served as it is', () => {
  const source = readFileSync(new URL('../../src/browser/index.ts', import.meta.url), 'utf8')
  expect(source.replaceAll(/^ \*.*$/gm, '')).not.toMatch(/^\s*(?:import|export .* from)\b|\bimport\(/m)
})

test('it is small: under 1.5 kB compressed, comments aside', () => {
  const source = readFileSync(new URL('../../src/browser/index.ts', import.meta.url), 'utf8')
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, removeComments: true },
  })
  const lines = outputText.split('\n').map((line) => line.trim())
  expect(gzipSync(lines.join('\n')).length).toBeLessThan(1500)
})
