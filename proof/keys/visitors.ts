/** Visitors of all kinds, on two servers over one Redis: what they leave in it is what `proof/keys.ts` looks at. */
import { setTimeout as wait } from 'node:timers/promises'

import { createSessions, type Sessions } from 'holdfast'
import { defineCycle } from 'holdfast/cycle'
import { holdfast } from 'holdfast/express'
import express from 'express'

import type { Bag } from '../app/actor.ts'
import { listenWith } from '../app/holdfast.ts'
import { Browser, type Answer } from '../browser.ts'

const SECRET = 'a secret of this proof, which nobody needs to keep'
/** An id that is younger is not renewed again. */
const GRACE = 300
const VISITORS = 48
const USERS = 6

interface Application {
  readonly sessions: Sessions<Bag>
  readonly origin: string
  close(): Promise<void>
}

/** Lets them come, and ends when the last has gone. */
export async function visitors(store: string): Promise<void> {
  const servers = [await serve(store), await serve(store)]
  const cycles = await serveCycles(servers[0]!.sessions)
  const origins = servers.map(({ origin }) => origin)
  const browsers = Array.from({ length: VISITORS }, () => new Browser([...origins, cycles.origin]))
  await Promise.all(browsers.map(begin))
  await wait(GRACE * 2)
  await Promise.all(browsers.map(goOn))
  await endSome(servers.map(({ sessions }) => sessions))
  // A process that comes and goes holds a lease of its own.
  await (await serve(store)).close()
  await servers[1]!.sessions.revokeAll()
  await Promise.all(servers.map(({ sessions }) => sessions.ready()))
  await Promise.all(Array.from({ length: USERS }, (_, at) => begin(new Browser([...origins, cycles.origin]), at + 1)))
  await cycles.close()
  await Promise.all(servers.map((server) => server.close()))
}

async function serve(store: string): Promise<Application> {
  const sessions = createSessions<Bag>({ secret: SECRET, store, graceTimeout: `${GRACE}ms`, maxPerUser: 5 })
  await sessions.ready()
  const { port, close } = await listenWith('express', sessions)
  return { sessions, origin: `http://127.0.0.1:${port}`, close }
}

/** Begins, steps through, ends and abandons action cycles. */
async function serveCycles(sessions: Sessions<Bag>): Promise<Omit<Application, 'sessions'>> {
  const transfer = defineCycle<{ cents: number }, string>('transfer', { steps: ['details'], maxOpen: 2 })
  const app = express()
  app.use(express.urlencoded(), holdfast(sessions))
  app.post('/cycle', async (request, response) => {
    const session = sessions.of(request)
    const how = Number(request.query['how'])
    const cycle = await transfer.begin(session, { cents: 100 })
    if (how > 0) await transfer.step(session, cycle.token, (state) => void (state.cents += 1))
    if (how > 1) await transfer.finish(session, cycle.token, async ({ state }) => `paid ${state.cents}`)
    if (how > 2) await transfer.abandon(session, (await transfer.begin(session, { cents: 1 })).token)
    response.json({})
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Whoever was signed out elsewhere meanwhile gets a 401; anything else than that and a success is a mistake here. */
async function post(browser: Browser, server: number, path: string): Promise<Answer> {
  const answer = await browser.post(server, path)
  if (answer.status !== 200 && answer.status !== 401)
    throw new Error(`${path} answered ${answer.status}: ${answer.body}`)
  return answer
}

/** Visitors with nothing stored, guests, users, users who sign in as another. */
async function begin(browser: Browser, at: number): Promise<void> {
  const server = at % 2
  await browser.get(server, '/form')
  if (at % 12 === 11) return
  await post(browser, 2, `/cycle?how=${at % 4}`)
  await post(browser, server, `/item?item=${at}`)
  if (at % 8 === 0) return
  await post(browser, 1 - server, `/sign-in?user=user${at % USERS}`)
  await post(browser, 2, `/cycle?how=${at % 4}`)
  if (at % 7 === 2) await post(browser, server, `/sign-in?user=other${at}`)
}

/** Some renew their ids, some sign out. */
async function goOn(browser: Browser, at: number): Promise<void> {
  const server = at % 2
  await post(browser, server, '/count')
  if (at % 3 === 0) await post(browser, 1 - server, '/renew')
  await browser.get(server, '/who')
  if (at % 5 === 1) await post(browser, 1 - server, '/sign-out')
  if (at % 17 === 4) await post(browser, server, '/sign-out-everywhere')
}

/** What those who look after users do. */
async function endSome([one, other]: readonly Sessions<Bag>[]): Promise<void> {
  const listed = (await one?.list('user1')) ?? []
  const [first, second] = listed
  if (first !== undefined) await one?.revoke('user1', first.handle)
  if (second !== undefined) await other?.revokeUser('user1', { except: second.handle })
  await other?.revokeUser('user2')
  await one?.revokeUser('nobody')
}
