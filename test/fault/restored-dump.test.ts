/** A Redis that comes back with an older state than it had acknowledged: restarted from its last dump, or from an old one. */
import { channel } from 'node:diagnostics_channel'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

import { closeConnections, type Answer, type Browser } from '../../proof/browser.ts'
import { jsonOf, who } from '../../proof/race/race.ts'
import { ADAPTERS, serve, type Servers } from '../flow/servers.ts'
import { startRedisServer, type RedisServer } from '../support/redis-server.ts'

const PATIENCE = 10_000

afterAll(closeConnections)

describe.each(ADAPTERS)('on %s', (adapter) => {
  let redis: RedisServer
  let servers: Servers
  beforeEach(async () => {
    redis = await startRedisServer()
    servers = await served()
    onTestFinished(async () => {
      await servers.close()
      await redis.stop()
    })
  })

  async function served(): Promise<Servers> {
    const made = await serve(adapter, [{ store: redis.url }, { store: redis.url }])
    await Promise.all(made.sessions.map((sessions) => sessions.ready()))
    return made
  }

  async function signedIn(user: string, server = 0): Promise<Browser> {
    const browser = servers.browser()
    jsonOf(await browser.post(server, `/sign-in?user=${user}`))
    return browser
  }

  /** What the browser is served as by each of the servers. */
  async function usersOf(browser: Browser): Promise<unknown[]> {
    return Promise.all([0, 1].map(async (server) => (await who(browser.copy(), server)).user))
  }

  /** Everything that Redis has now, to be put back with `restore`. */
  async function dump(): Promise<string> {
    await redis.cli('save')
    const kept = join(redis.directory, 'kept.rdb')
    copyFileSync(join(redis.directory, 'dump.rdb'), kept)
    return kept
  }

  async function restore(kept: string): Promise<void> {
    await redis.kill()
    copyFileSync(kept, join(redis.directory, 'dump.rdb'))
    await redis.start()
  }

  it('I3, I12: an old dump brings ended sessions back, and after revokeAll none of its sessions lives, on any server, while those that begin after it do', async () => {
    const [left, revoked, current, guest] = [
      await signedIn('ada'),
      await signedIn('bob', 1),
      await signedIn('cyd'),
      servers.browser(),
    ]
    jsonOf(await guest.post(1, '/key?key=cart'))
    const kept = await dump()
    const stolen = left.copy()
    jsonOf(await left.post(1, '/sign-out'))
    await servers.sessions[0]?.revokeUser('bob')
    const lost = await signedIn('dan')
    await servers.close()
    await restore(kept)
    servers = await served()
    // Who looks after it sees why revokeAll is there.
    expect(await usersOf(revived(stolen))).toEqual(['ada', 'ada'])
    expect(await usersOf(revived(revoked))).toEqual(['bob', 'bob'])

    await servers.sessions[0]?.revokeAll()
    // What each server does by itself every five seconds.
    await Promise.all(servers.sessions.map((sessions) => sessions.ready()))
    for (const browser of [stolen, revoked, current, lost])
      expect(await usersOf(revived(browser))).toEqual([null, null])
    expect((await who(revived(guest), 1)).keys).toBeUndefined()
    for (const sessions of servers.sessions)
      for (const user of ['ada', 'bob', 'cyd', 'dan']) expect(await sessions.list(user)).toEqual([])

    const [again, guestAgain] = [await signedIn('ada', 1), servers.browser()]
    jsonOf(await guestAgain.post(0, '/key?key=cart'))
    await Promise.all(servers.sessions.map((sessions) => sessions.ready()))
    expect(await usersOf(again)).toEqual(['ada', 'ada'])
    expect((await who(guestAgain, 1)).keys).toEqual({ cart: true })
    expect(await servers.sessions[0]?.list('ada')).toHaveLength(1)
  })

  it('a change that was acknowledged and lost is noticed by the browser’s floor, and the session goes on', async () => {
    const lost: unknown[] = []
    const note = (message: unknown): void => void lost.push(message)
    channel('holdfast:lost').subscribe(note)
    onTestFinished(() => {
      channel('holdfast:lost').unsubscribe(note)
    })
    const browser = await signedIn('ada')
    const elsewhere = await signedIn('bob')
    const kept = await dump()
    jsonOf(await browser.post(0, '/key?key=lost'))
    jsonOf(await browser.post(1, '/key?key=too'))
    const { handle } = await who(browser, 0)
    await restore(kept)
    const answer = await served200(browser, 1)
    expect(jsonOf(answer)).toMatchObject({ user: 'ada', handle })
    expect(jsonOf(answer)).not.toHaveProperty('keys')
    expect(answer.headers['cache-control']).toContain('private')
    expect(answer.setCookies.map((line) => line.split('=')[0])).toEqual(['visit'])
    expect(lost).toEqual([{ handle, shown: 3, found: 1 }])
    jsonOf(await browser.post(0, '/key?key=after'))
    expect((await who(browser, 1)).keys).toEqual({ after: true })
    expect((await served200(elsewhere, 0)).status).toBe(200)
    expect(lost).toHaveLength(1)
    expect(servers.sessions.map((sessions) => sessions.stats().lostWrites)).toEqual([0, 1])
  })

  /** Asks until the server has found its store again. */
  async function served200(browser: Browser, server: number): Promise<Answer> {
    const until = performance.now() + PATIENCE
    for (;;) {
      const answer = browser.take(await browser.send(server, 'GET', '/who'))
      if (answer.status === 200 || performance.now() > until) return answer
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** The same cookies, for the servers of now. */
  function revived(browser: Browser): Browser {
    const now = servers.browser()
    for (const [name, value] of browser.cookies) now.take({ setCookies: [`${name}=${value}`] } as unknown as Answer)
    return now
  }
})
