/** A seed decides what visitors do: where the answers are the same, they do the same again. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { afterAll, describe, expect, it } from 'vitest'

import { closeConnections } from '../../../proof/browser.ts'
import type { Kind } from '../../../proof/history/history.ts'
import { type Begun, Recorder } from '../../../proof/history/recorder.ts'
import { chance } from '../../../proof/visitors/random.ts'
import { visit } from '../../../proof/visitors/visitors.ts'

const OPERATIONS = 250

afterAll(closeConnections)

describe('chance', () => {
  const numbers = (random: { below: (below: number) => number }): number[] =>
    Array.from({ length: 20 }, () => random.below(1_000))

  it('is the same under the same seed, and other under another', () => {
    expect(numbers(chance(7))).toEqual(numbers(chance(7)))
    expect(numbers(chance(8))).not.toEqual(numbers(chance(7)))
  })

  it('of one part does not depend on how much another part has used up', () => {
    const second = (usedByFirst: number): number[] => {
      const whole = chance(7)
      const first = whole.fork()
      for (let left = usedByFirst; left > 0; left--) first.next()
      return numbers(whole.fork())
    }
    expect(second(50)).toEqual(second(0))
  })

  it('picks by weight, and never what weighs nothing', () => {
    const random = chance(7)
    const picked = Array.from({ length: 4_000 }, () =>
      random.pick([
        [1, 'seldom'],
        [0, 'never'],
        [3, 'often'],
      ]),
    )
    expect(picked).not.toContain('never')
    const share = picked.filter((one) => one === 'seldom').length / picked.length
    expect(share).toBeGreaterThan(0.22)
    expect(share).toBeLessThan(0.28)
  })
})

describe('a visitor', () => {
  it('does the same again under the same seed, request by request', async () => {
    const plan = await planned(11)
    expect(plan).toHaveLength(OPERATIONS)
    expect(await planned(11)).toEqual(plan)
  })

  it('does something else under another seed', async () => {
    expect(await planned(12)).not.toEqual(await planned(11))
  })

  it('who is signed in, and not served any more, stays', async () => {
    const kinds = (plan: readonly object[]): Kind[] => (plan as Begun<Kind>[]).map(({ kind }) => kind)
    const plan = kinds(await planned(11, OPERATIONS))
    const stay = plan.slice(plan.indexOf('sign-in') + 1)
    expect(stay.length).toBeGreaterThan(OPERATIONS / 2)
    expect(stay).not.toContain('sign-out')
    expect(kinds(await planned(11))).toContain('sign-out')
  })
})

/** What one visitor asks, in order, as far as the first `OPERATIONS`. */
async function planned(seed: number, unserved = 0): Promise<readonly object[]> {
  const { url, close } = await startObliging(unserved)
  const leaving = new AbortController()
  const recorder = new Counted(() => leaving.abort())
  try {
    await visit({
      url,
      seed,
      visitors: 1,
      thinks: 1,
      promises: { grace: 0, answer: 1_000, staleness: 0 },
      recorder,
      incarnation: () => 1,
      everywhere: true,
      signal: leaving.signal,
    })
  } finally {
    close()
  }
  return recorder.begun.slice(0, OPERATIONS)
}

class Counted extends Recorder {
  readonly begun: object[] = []
  readonly #enough: () => void

  constructor(enough: () => void) {
    super()
    this.#enough = enough
  }

  override begin<K extends Kind>(begun: Begun<K>): ReturnType<Recorder['begin']> {
    this.begun.push(begun)
    if (this.begun.length === OPERATIONS) this.#enough()
    return super.begin(begun)
  }
}

/**
 * A server that says yes to everything, and gives a new id with every answer to a change. After the first sign-in it fails so
 * many times.
 */
async function startObliging(unserved: number): Promise<{ url: string; close: () => void }> {
  let ids = 0
  let seen = { user: null as string | null, owner: null as string | null, handle: null, cart: [], count: 0, mark: 0 }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
    if (seen.user !== null && unserved-- > 0) return void response.writeHead(503).end()
    if (pathname === '/sign-in') seen = { ...seen, user: searchParams.get('user'), owner: searchParams.get('visit') }
    if (request.method === 'POST') response.setHeader('set-cookie', `sid=${++ids}; Path=/`)
    response.setHeader('content-type', 'application/json')
    request.resume()
    response.end(JSON.stringify({ server: 'A', seen, token: 'good' }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
