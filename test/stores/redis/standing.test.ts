import { describe, expect, it } from 'vitest'

import { mayHaveLost, type Standing, standingOf, succeeds, UNTOLD } from '../../../src/stores/redis/standing.ts'
import { startRedisServer } from '../../support/redis-server.ts'
import { info } from './fake-links.ts'

const A: Standing = { role: 'primary', runId: 'a', history: 'h1', before: '' }

describe('what a server says of itself', () => {
  it('is read from its answer', async () => {
    await using redis = await startRedisServer()
    const said = await redis.cli('info', 'server', 'replication', 'persistence')
    const standing = standingOf(Buffer.from(said.replaceAll(/\r?\n/g, '\r\n')))
    expect(standing.role).toBe('primary')
    expect(standing.runId).toMatch(/^[0-9a-f]{40}$/)
    expect(standing.history).toMatch(/^[0-9a-f]{40}$/)
    expect(standing.before).toBe('')
  })

  it('may be that it is a replica, or loads its data', () => {
    expect(standingOf(info({ role: 'slave', loading: '0' })).role).toBe('replica')
    expect(standingOf(info({ role: 'master', loading: '1' })).role).toBe('loading')
  })

  it('may be nothing', () => {
    expect(standingOf(null)).toEqual(UNTOLD)
  })
})

describe('acknowledged writes may be gone', () => {
  it.each<[string, Standing, boolean]>([
    ['after the same server has told the same', A, false],
    ['after another server', { ...A, runId: 'b', history: 'h2', before: 'h1' }, true],
    ['after a start of the same one, also with the history of its file', { ...A, runId: 'a2' }, true],
    ['after it was a replica meanwhile', { ...A, history: 'h3', before: 'h2' }, true],
    ['not after it got its first replica', { ...A, history: 'h2' }, false],
    ['after a server that tells nothing', UNTOLD, true],
  ])('%s', (_, now, lost) => {
    expect(mayHaveLost(A, now)).toBe(lost)
  })

  it('after each connection to a server that never tells anything', () => {
    expect(mayHaveLost(UNTOLD, UNTOLD)).toBe(true)
  })
})

describe('a successor', () => {
  it('continues the history of the one before', () => {
    expect(succeeds(A, { ...A, runId: 'b', history: 'h2', before: 'h1' })).toBe(true)
    expect(succeeds(A, { ...A, runId: 'b', history: 'h0' })).toBe(false)
    expect(succeeds({ ...A, history: '' }, { ...A, history: '' })).toBe(false)
  })
})
