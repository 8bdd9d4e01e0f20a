/** I8: events and log lines name a session by its handle; no cookie, verifier or selector is ever in them. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'

import { memoryStore } from 'holdfast/memory'
import * as channels from 'holdfast/telemetry'
import { faultyStore } from 'holdfast/testing'
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest'

import { closeConnections } from '../../proof/browser.ts'
import { jsonOf } from '../../proof/race/race.ts'
import { serve } from './servers.ts'

afterAll(closeConnections)

const told: string[] = []
const listen = (message: unknown, name: string | symbol): void => {
  told.push(`${String(name)} ${inspect(message, { depth: 12 })}`)
}
const names = Object.values(channels).map((channel) => channel.name)
beforeEach(() => {
  told.length = 0
  for (const name of names) subscribe(name, listen)
})
afterEach(() => {
  for (const name of names) unsubscribe(name, listen)
})

it('I8: a life with renewals, thefts, conflicts, refusals and a failing store is told without an id', async () => {
  const log = { warn: (...line: unknown[]) => listen(line, 'log'), error: (...line: unknown[]) => listen(line, 'log') }
  const store = faultyStore(memoryStore())
  const servers = await serve('express', [{ store, log, graceTimeout: '50ms', storeDeadline: '100ms', csrf: 'report' }])
  const values = new Set<string>()
  const browser = servers.browser()
  const step = async (method: 'GET' | 'POST', path: string): Promise<void> => {
    const answer = await browser.send(
      0,
      method,
      path,
      method === 'POST' ? { form: {}, headers: { 'sec-fetch-site': 'cross-site' } } : {},
    )
    browser.take(answer)
    for (const value of browser.cookies.values()) values.add(value)
  }
  await step('GET', '/form')
  await step('POST', '/key?key=one')
  await step('POST', '/sign-in?user=ada')
  const stolen = browser.copy()
  // An id younger than the grace is not renewed.
  await new Promise((resolve) => setTimeout(resolve, 100))
  await step('POST', '/renew')
  await step('GET', '/who')
  await new Promise((resolve) => setTimeout(resolve, 100))
  await stolen.get(0, '/who')
  await Promise.all([step('POST', '/last?last=one&wait=20'), step('POST', '/last?last=two&wait=20')])
  const sid = browser.cookies.get('sid') ?? ''
  await browser.send(0, 'GET', '/who', { cookies: new Map([['sid', `${sid.slice(0, -1)}-`]]) })
  store.faults = { fail: 'hang' }
  await step('GET', '/who')
  store.faults = {}
  await step('POST', '/sign-out')
  jsonOf(await browser.get(0, '/who'))
  await servers.close()

  expect(told.map((line) => line.split(' ')[0])).toEqual(
    expect.arrayContaining([
      'holdfast:lifecycle',
      'holdfast:theft',
      'holdfast:conflict',
      'holdfast:csrf',
      'holdfast:cookie',
      'holdfast:store',
    ]),
  )
  const everything = told.join('\n')
  expect(values.size).toBeGreaterThan(3)
  for (const value of values) {
    const bytes = Buffer.from(value, 'base64url')
    for (const secret of [value, ...spellings(bytes.subarray(5, 23)), ...spellings(bytes.subarray(23, 39))])
      expect(everything).not.toContain(secret)
  }
})

function spellings(bytes: Buffer): string[] {
  return [bytes.toString('base64url'), bytes.toString('base64'), bytes.toString('hex'), inspect(bytes).slice(8, -1)]
}
