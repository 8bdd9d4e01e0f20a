/** What csurf does, tried on csurf 1.11 itself and on the drop-in. */
import type { RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'

import { serve, type Browser, type Page, type Serving } from '../stacks/stack.ts'
import { application, both, frameworks, original, ours, sessions, type Tokened } from './applications.ts'

const REFUSED = {
  name: 'ForbiddenError',
  message: 'invalid csrf token',
  code: 'EBADCSRFTOKEN',
  status: 403,
  statusCode: 403,
  expose: true,
}

async function tokenFor(browser: Browser): Promise<string> {
  const [token] = JSON.parse((await browser.ask('/form')).text) as [string]
  return token
}

function withHeader(browser: Browser, name: string, token: string): Promise<Page> {
  return browser.ask('/form', { method: 'POST', headers: { [name]: token } })
}

function expectRefused(page: Page): void {
  expect(page.status).toBe(403)
  expect(JSON.parse(page.text)).toEqual(REFUSED)
}

describe.each(frameworks)('$framework', ({ create }) => {
  describe.each(both)('$name', ({ csurf }) => {
    const site = async (
      options?: Record<string, unknown>,
      rest: Partial<Parameters<typeof application>[0]> = {},
    ): Promise<Serving> =>
      serve(application({ create, csurf, ...(options && { options }), before: [await sessions()], ...rest }))

    it('takes a form with its token, and passes on an error for one without, or with that of another visitor', async () => {
      await using served = await site()
      const [browser, stranger] = [served.browser(), served.browser()]
      const [token, foreign] = [await tokenFor(browser), await tokenFor(stranger)]
      expect(await browser.submit('/form', { _csrf: token })).toMatchObject({ status: 200, text: 'done' })
      expectRefused(await browser.submit('/form'))
      for (const wrong of [foreign, '', '-', 'x', `${token}x`, token.slice(1), token.replace('-', '')])
        expectRefused(await browser.submit('/form', { _csrf: wrong }))
      expectRefused(await served.browser().submit('/form', { _csrf: token }))
    })

    it.each(['csrf-token', 'xsrf-token', 'x-csrf-token', 'x-xsrf-token'])('reads the header %s', async (header) => {
      await using served = await site()
      const browser = served.browser()
      const token = await tokenFor(browser)
      expect((await withHeader(browser, header, token)).status).toBe(200)
      expectRefused(await withHeader(browser, header, `${token}x`))
    })

    it('reads JSON; the field goes before headers, unless it is empty; a field that is there twice is no token', async () => {
      await using served = await site()
      const browser = served.browser()
      const token = await tokenFor(browser)
      const post = async (body: unknown, more: Record<string, string> = {}): Promise<number> => {
        const headers = { 'content-type': 'application/json', ...more }
        return (await browser.ask('/form', { method: 'POST', body: JSON.stringify(body), headers })).status
      }
      expect(await post({ _csrf: token })).toBe(200)
      expect(await post({ _csrf: 'wrong' }, { 'csrf-token': token })).toBe(403)
      expect(await post({ _csrf: '' }, { 'csrf-token': token })).toBe(200)
      for (const odd of [[token, token], { token }, 1, true]) expect(await post({ _csrf: odd })).toBe(403)
    })

    it('gives one token in one request, another in the next, and takes all of them', async () => {
      await using served = await site()
      const browser = served.browser()
      const pages = [await browser.ask('/form'), await browser.ask('/form'), await browser.ask('/form')]
      const tokens = pages.map(({ text }) => JSON.parse(text) as [string, string])
      for (const [one, other] of tokens) expect(one).toBe(other)
      expect(new Set(tokens.flat()).size).toBe(3)
      for (const [token] of tokens) expect((await browser.submit('/form', { _csrf: token })).status).toBe(200)
    })

    it('asks for none with GET, HEAD and OPTIONS, or the methods that are named', async () => {
      await using served = await site()
      for (const method of ['GET', 'HEAD', 'OPTIONS'])
        expect((await served.browser().ask('/form', { method })).status).toBe(200)
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'])
        expect((await served.browser().ask('/form', { method })).status).toBe(403)
      await using other = await site({ ignoreMethods: ['post', 'GET'] })
      expect((await other.browser().ask('/form', { method: 'POST' })).status).toBe(200)
      expect((await other.browser().ask('/form', { method: 'OPTIONS' })).status).toBe(403)
      expect(() => csurf({ ignoreMethods: 'GET' })).toThrow(new TypeError('option ignoreMethods must be an array'))
    })

    it('takes the token from where it is told to', async () => {
      const value = (request: { headers: Record<string, string> }): unknown => request.headers['my-token']
      await using served = await site({ value })
      const browser = served.browser()
      const token = await tokenFor(browser)
      expect((await withHeader(browser, 'my-token', token)).status).toBe(200)
      expectRefused(await withHeader(browser, 'csrf-token', token))
    })

    it('keeps its secret in req.session.csrfSecret, or in the session that is named', async () => {
      const named: RequestHandler = (request, _response, next) => {
        Object.assign(request, { visit: { csrfSecret: 'known' } })
        next()
      }
      await using served = await site({ sessionKey: 'visit' }, { before: [named] })
      const browser = served.browser()
      expect((await browser.submit('/form', { _csrf: await tokenFor(browser) })).status).toBe(200)
      const seen: unknown[] = []
      await using usual = await site(undefined, {
        routes: (app) =>
          app.get('/seen', (request, response) => {
            seen.push((request as unknown as Tokened).session?.['csrfSecret'])
            response.end()
          }),
      })
      const visitor = usual.browser()
      await visitor.ask('/seen')
      await visitor.ask('/seen')
      expect(seen).toEqual([expect.stringMatching(/^[\w-]{24}$/), seen[0]])
    })

    it('is misconfigured without a session: 500', async () => {
      await using served = await site(undefined, { before: [] })
      const page = await served.browser().ask('/form')
      expect(page.status).toBe(500)
      expect((JSON.parse(page.text) as Error).message).toMatch(/^misconfigured csrf/)
    })

    it('makes tokens of the session that is there when it is asked: after regenerate, and after another replacement', async () => {
      await using served = await site(undefined, {
        routes: (app) => {
          app.get('/regenerated', (request, response, next) => {
            const before = (request as unknown as Tokened).csrfToken()
            const { session } = request as unknown as { session: { regenerate(done: (error?: unknown) => void): void } }
            session.regenerate((error) => {
              if (error !== undefined && error !== null) next(error)
              else response.json([(request as unknown as Tokened).csrfToken(), before])
            })
          })
          app.get('/ended', (request, response) => {
            Object.assign(request, { session: null })
            try {
              response.send((request as unknown as Tokened).csrfToken())
            } catch (error) {
              response.send((error as Error).message)
            }
          })
        },
      })
      const browser = served.browser()
      const old = await tokenFor(browser)
      const [token, before] = JSON.parse((await browser.ask('/regenerated')).text) as [string, string]
      expect((await browser.submit('/form', { _csrf: token })).status).toBe(200)
      expect((await browser.submit('/form', { _csrf: before })).status).toBe(403)
      expect((await browser.submit('/form', { _csrf: old })).status).toBe(403)
      expect((await browser.ask('/ended')).text).toMatch(/^misconfigured csrf/)
    })
  })

  it('old and new servers take each other’s tokens, so that no open form is refused while they are replaced', async () => {
    const session = await sessions()
    await using old = await serve(application({ create, csurf: original, before: [session] }))
    await using now = await serve(application({ create, csurf: ours, before: [session] }))
    const browser = old.browser()
    const [of, here] = JSON.parse((await browser.ask('/form')).text) as [string, string]
    expect(of).toBe(here)
    const submit = (at: string, token: string): Promise<Page> =>
      browser.ask('/form', { at, method: 'POST', body: new URLSearchParams({ _csrf: token }) })
    expect((await submit(now.origin, of)).status).toBe(200)
    const [token] = JSON.parse((await browser.ask('/form', { at: now.origin })).text) as [string]
    expect((await submit(old.origin, token)).status).toBe(200)
    expect((await submit(now.origin, token)).status).toBe(200)
  })

  it('differs: a token in the query string counts for nothing, because it gets into logs and histories', async () => {
    const answers = []
    for (const { csurf } of both) {
      await using served = await serve(application({ create, csurf, before: [await sessions()] }))
      const browser = served.browser()
      const token = await tokenFor(browser)
      answers.push((await browser.ask(`/form?_csrf=${encodeURIComponent(token)}`, { method: 'POST' })).status)
    }
    expect(answers).toEqual([200, 403])
  })
})
