import { describe, expect, it } from 'vitest'

import { beginVisit } from '../../src/core/sessions.ts'
import * as channels from '../../src/telemetry/channels.ts'
import { Browser, deployment, type Deployment } from '../support/core-browser.ts'
import { gate, pause, standstill } from '../support/paused-store.ts'

describe('a request that outlives renewals of its id', () => {
  it.each(['reload', 'touch'] as const)('may %s, which is no theft and no end (I4)', async (what) => {
    const { servers, clock } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    const socket = beginVisit(servers[0]!, browser.facts(), {})
    await socket.open()
    const { signal } = socket.session
    await socket.settle()
    const thefts: unknown[] = []
    const listener = (message: unknown): void => void thefts.push(message)
    channels.theft.subscribe(listener)
    clock.forward(61_000)
    await browser.visit(servers[0]!, (session) => session.regenerateId())
    await browser.visit(servers[1]!, (session) => void (session.data['n'] = 1))
    clock.forward(61_000)
    await socket.session[what]()
    channels.theft.unsubscribe(listener)
    expect([socket.session.status, socket.session.userId, signal.aborted, thefts]).toEqual(['live', 'u1', false, []])
    if (what === 'reload') expect(socket.session.data).toEqual({ n: 1 })
  })

  it('brings no id back that was renewed again meanwhile: its answer logs nobody out (I4)', async () => {
    const { servers, clock } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    clock.forward(61_000)
    const first = await browser.request(servers[0]!, (session) => session.regenerateId())
    const wait = gate()
    const slow = browser.request(servers[1]!, () => wait.passed)
    await standstill()
    browser.keep(first.cookies)
    await browser.visit(servers[0]!, () => undefined)
    clock.forward(61_000)
    await browser.visit(servers[0]!, (session) => session.regenerateId())
    await browser.visit(servers[0]!, () => undefined)
    clock.forward(61_000)
    wait.open()
    browser.keep((await slow).cookies)
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u1')
  })

  it('still brings the new id while nothing more has happened (I4)', async () => {
    const { servers, clock } = await deployment()
    const browser = new Browser()
    await browser.visit(servers[0]!, (session) => session.signIn('u1'))
    clock.forward(61_000)
    const lost = await browser.request(servers[0]!, (session) => session.regenerateId())
    const next = await browser.request(servers[1]!, () => undefined)
    expect(next.cookies).toEqual(lost.cookies)
  })
})

describe('an id that comes back after its grace, where that ends the session (endOnTheft)', () => {
  async function stolen(): Promise<Deployment & { browser: Browser; thief: Browser }> {
    const made = await deployment({ endOnTheft: true })
    const browser = new Browser()
    await browser.visit(made.servers[0]!, (session) => session.signIn('u1'))
    const thief = browser.copy()
    made.clock.forward(61_000)
    await browser.visit(made.servers[0]!, (session) => session.regenerateId())
    await browser.visit(made.servers[0]!, () => undefined)
    made.clock.forward(61_000)
    return { ...made, browser, thief }
  }

  it('ends nothing that was signed in to meanwhile (I4)', async () => {
    const { servers, store, browser, thief } = await stolen()
    const ending = pause(store, 'end', 'before')
    const late = thief.visit(servers[1]!, (session) => session.status)
    await ending.reached
    await browser.visit(servers[0]!, (session) => session.signIn('u2'))
    ending.goOn()
    expect(await late).toBe('lapsed')
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBe('u2')
  })

  it('ends the session also where it is written meanwhile (I3)', async () => {
    const { servers, store, browser, thief } = await stolen()
    const ending = pause(store, 'end', 'before')
    const late = thief.visit(servers[1]!, (session) => session.status)
    await ending.reached
    await browser.visit(servers[0]!, (session) => void (session.data['n'] = 1))
    ending.goOn()
    expect(await late).toBe('lapsed')
    expect(await browser.visit(servers[0]!, (session) => session.userId)).toBeUndefined()
  })
})
