/** The drop-in over sessions of Holdfast: its own, and behind express-session's interface; on two servers. */
import type { RequestHandler } from 'express'
import { createSessions, type Sessions } from 'holdfast'
import { holdfast } from 'holdfast/express'
import session from 'holdfast/express-session'
import { holdfastStore } from 'holdfast/express-session/store'
import { memoryStore } from 'holdfast/memory'
import { describe, expect, it, onTestFinished } from 'vitest'

import { peer, serve, type Page, type Serving } from '../stacks/stack.ts'
import { application, frameworks, ours, SECRET, type Tokened } from './applications.ts'

const SITE = { 'sec-fetch-site': 'same-origin' }

interface Two {
  readonly servers: readonly [Serving, Serving]
  readonly managers: readonly Sessions[]
}

/** Two servers with one store. */
async function two(
  before: (sessions: Sessions) => RequestHandler,
  create: () => ReturnType<(typeof frameworks)[0]['create']>,
): Promise<Two> {
  const store = memoryStore()
  const start = async (): Promise<{ serving: Serving; manager: Sessions }> => {
    const manager = createSessions({ secret: SECRET, store })
    const routes: Parameters<typeof application>[0]['routes'] = (app) => {
      app.post('/sign-in', (request, response) => {
        void Promise.resolve(
          (request as unknown as { session: { signIn(user: string): Promise<void> } }).session.signIn('ada'),
        ).then(() => response.json([(request as unknown as Tokened).csrfToken()]))
      })
    }
    const serving = await serve(application({ create, csurf: ours, before: [before(manager)], routes }))
    onTestFinished(async () => {
      await serving[Symbol.asyncDispose]()
      await manager.close()
    })
    return { serving, manager }
  }
  const [one, other] = [await start(), await start()]
  return { servers: [one.serving, other.serving], managers: [one.manager, other.manager] }
}

describe.each(frameworks)('$framework', ({ create }) => {
  it('makes tokens of Holdfast’s own sessions: good on every server, kept nowhere, and refused after a sign-in', async () => {
    const { servers, managers } = await two((sessions) => holdfast(sessions), create)
    const browser = servers[0].browser()
    const form = await browser.ask('/form', { headers: SITE })
    const [token, again] = JSON.parse(form.text) as [string, string]
    expect(token).toBe(again)
    const submit = (at: string, path: string, sent: string): Promise<Page> =>
      browser.ask(path, { at, method: 'POST', headers: SITE, body: new URLSearchParams({ _csrf: sent }) })
    for (const { origin } of servers) expect((await submit(origin, '/form', token)).status).toBe(200)
    expect((await submit(servers[1].origin, '/form', `${token.slice(0, -4)}AAAA`)).status).toBe(403)
    // A token stores nothing: there is no session yet.
    expect(managers.map((manager) => manager.stats().commits.saved)).toEqual([0, 0])
    const signedIn = await submit(servers[1].origin, '/sign-in', token)
    expect(signedIn.status).toBe(200)
    const [fresh] = JSON.parse(signedIn.text) as [string]
    expect((await submit(servers[0].origin, '/form', token)).status).toBe(403)
    expect((await browser.ask('/form', { headers: SITE })).status).toBe(200)
    const [later] = JSON.parse((await browser.ask('/form', { headers: SITE })).text) as [string]
    expect((await submit(servers[0].origin, '/form', later)).status).toBe(200)
    expect(fresh).not.toBe('')
  })

  it('keeps its secret in the drop-in’s session, in Holdfast’s store, for every server', async () => {
    const { servers } = await two(
      (sessions) =>
        session({
          secret: SECRET,
          resave: false,
          saveUninitialized: false,
          store: holdfastStore(sessions),
        }) as unknown as RequestHandler,
      create,
    )
    const browser = servers[0].browser()
    const [token] = JSON.parse((await browser.ask('/form')).text) as [string]
    for (const { origin } of servers) {
      const body = new URLSearchParams({ _csrf: token })
      expect((await browser.ask('/form', { at: origin, method: 'POST', body })).status).toBe(200)
      expect((await servers[0].browser().ask('/form', { at: origin, method: 'POST', body })).status).toBe(403)
    }
  })

  it('keeps it in a session that is a cookie', async () => {
    const cookieSession = await peer<(options: object) => RequestHandler>('cookie-session')
    await using served = await serve(
      application({ create, csurf: ours, before: [cookieSession({ keys: [SECRET], name: 'visit' })] }),
    )
    const browser = served.browser()
    const [token] = JSON.parse((await browser.ask('/form')).text) as [string]
    expect((await browser.submit('/form', { _csrf: token })).status).toBe(200)
    expect((await served.browser().submit('/form', { _csrf: token })).status).toBe(403)
  })
})
