/** The secret in a cookie: where the drop-in differs from csurf, and why. */
import { describe, expect, it } from 'vitest'

import { signed } from '../../../src/compat/express-session/signature.ts'
import { serve, type Browser } from '../stacks/stack.ts'
import { application, cookies, original, ours, SECRET, type Csurf } from './applications.ts'

const OTHER = 'another secret of the tests of csurf, just as long as that'

async function site(options: Record<string, unknown>, parser?: string | string[], csurf: Csurf = ours): Promise<Site> {
  return await serve(application({ csurf, options, before: parser === undefined ? [] : [await cookies(parser)] }))
}

type Site = Awaited<ReturnType<typeof serve>>

async function tokenFor(browser: Browser, at?: string): Promise<string> {
  const [token] = JSON.parse((await browser.ask('/form', at === undefined ? {} : { at })).text) as [string]
  return token
}

describe('the cookie', () => {
  it('is signed, out of scripts’ reach, and sent along from nowhere else; nothing else is needed to read it', async () => {
    await using served = await site({ cookie: true, secret: SECRET })
    const browser = served.browser()
    const page = await browser.ask('/form')
    expect(page.cookies).toEqual([
      expect.stringMatching(/^_csrf=s%3A[\w-]{24}\.[\w%]{43,}; Path=\/; HttpOnly; SameSite=Lax$/),
    ])
    const [token] = JSON.parse(page.text) as [string]
    expect((await browser.submit('/form', { _csrf: token })).status).toBe(200)
    expect((await browser.ask('/form')).cookies).toEqual([])
    expect((await served.browser().submit('/form', { _csrf: token })).status).toBe(403)
  })

  it('is like it is told to be', async () => {
    const cookie = {
      key: 'guard',
      path: '/form',
      httpOnly: false,
      sameSite: 'strict',
      maxAge: 60.5,
      domain: 'shop.example',
    }
    await using served = await site({ cookie, secret: SECRET })
    expect((await served.browser().ask('/form')).cookies).toEqual([
      expect.stringMatching(/^guard=[^;]+; Domain=shop\.example; Path=\/form; SameSite=Strict; Max-Age=60$/),
    ])
  })

  it('has a name that no other host can set, where it is secure and for this host and all paths', async () => {
    const nameOf = async (cookie: object): Promise<string | undefined> => {
      await using served = await site({ cookie, secret: SECRET })
      return (await served.browser().ask('/form')).cookies[0]?.split('=')[0]
    }
    expect(await nameOf({ secure: true })).toBe('__Host-_csrf')
    expect(await nameOf({ secure: true, path: '/shop' })).toBe('_csrf')
    expect(await nameOf({ secure: true, domain: 'shop.example' })).toBe('_csrf')
    expect(await nameOf({ secure: true, key: 'mine' })).toBe('mine')
  })

  it('counts for nothing when somebody else made it: csurf itself takes any, so that who sets a cookie forges a form', async () => {
    const planted = 'a-value-that-an-attacker-knows'
    // What the attacker makes of it, in an application of his own.
    await using mine = await site({ cookie: true }, '', original)
    const forge = async (at: string, value: string, options = {}): Promise<number> => {
      const headers = { cookie: `_csrf=${encodeURIComponent(value)}` }
      const token = (
        JSON.parse((await mine.browser().ask('/form', { headers: { cookie: `_csrf=${planted}` } })).text) as string[]
      )[0]
      const body = new URLSearchParams({ _csrf: String(token) })
      return (await mine.browser().ask('/form', { at, method: 'POST', body, headers, ...options })).status
    }
    expect(await forge(mine.origin, planted)).toBe(200)
    await using served = await site({ cookie: true, secret: SECRET })
    for (const value of [planted, `s:${planted}`, `s:${planted}.`, signed(planted, OTHER)])
      expect(await forge(served.origin, value)).toBe(403)
    // The same with our secret, so that the refusals above are for the signature.
    expect(await forge(served.origin, signed(planted, SECRET))).toBe(200)
  })

  it('is signed with cookie-parser’s secret where no other is given, and is misconfigured without any', async () => {
    await using served = await site({ cookie: true }, SECRET)
    const browser = served.browser()
    expect((await browser.submit('/form', { _csrf: await tokenFor(browser) })).status).toBe(200)
    for (const parser of [undefined, '']) {
      await using bare = await site({ cookie: true }, parser)
      const page = await bare.browser().ask('/form')
      expect(page.status).toBe(500)
      expect((JSON.parse(page.text) as Error).message).toMatch(/^misconfigured csrf: .*secret/)
    }
  })

  it('outlives a change of secrets: the first signs, all are good', async () => {
    await using old = await site({ cookie: true, secret: SECRET })
    await using now = await site({ cookie: true, secret: [OTHER, SECRET] })
    await using later = await site({ cookie: true, secret: [OTHER] })
    const browser = old.browser()
    const token = await tokenFor(browser)
    const submit = async (at: string, sent: string): Promise<number> =>
      (await browser.ask('/form', { at, method: 'POST', body: new URLSearchParams({ _csrf: sent }) })).status
    expect(await submit(now.origin, token)).toBe(200)
    expect(await submit(later.origin, token)).toBe(403)
    const fresh = now.browser()
    const made = await tokenFor(fresh)
    const page = await fresh.ask('/form', {
      at: later.origin,
      method: 'POST',
      body: new URLSearchParams({ _csrf: made }),
    })
    expect(page.status).toBe(200)
  })

  it('is the one that csurf signs, where it does: old and new servers take each other’s', async () => {
    await using old = await site({ cookie: { signed: true } }, SECRET, original)
    await using now = await site({ cookie: { signed: true } }, SECRET)
    for (const [one, other] of [
      [old, now],
      [now, old],
    ] as const) {
      const browser = one.browser()
      const token = await tokenFor(browser)
      const body = new URLSearchParams({ _csrf: token })
      expect((await browser.ask('/form', { at: other.origin, method: 'POST', body })).status).toBe(200)
    }
  })

  it('of which there are several is the first that is ours', async () => {
    await using served = await site({ cookie: true, secret: SECRET })
    const browser = served.browser()
    const token = await tokenFor(browser)
    const headers = { cookie: `_csrf=planted; ${browser.cookie}` }
    const bare = served.browser()
    const body = new URLSearchParams({ _csrf: token })
    expect((await bare.ask('/form', { method: 'POST', body, headers })).status).toBe(200)
  })

  it('joins those that are being set already', async () => {
    await using served = await serve(
      application({
        csurf: ours,
        options: { cookie: true, secret: SECRET },
        before: [
          (_request, response, next) => {
            response.setHeader('set-cookie', 'other=1')
            next()
          },
        ],
      }),
    )
    expect((await served.browser().ask('/form')).cookies).toEqual(['other=1', expect.stringMatching(/^_csrf=/)])
  })
})
