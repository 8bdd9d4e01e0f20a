/** I12: nothing in Redis is kept for ever, but the one key that counts leases. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

import { startRedisServer } from '../support/redis-server.ts'

const run = promisify(execFile)
const PROGRAM = fileURLToPath(new URL('../../build/proof/keys.js', import.meta.url))
const KINDS = ['sessions', 'markers of what has ended', 'action cycles', 'indexes of users', 'leases', 'the ledger']

it('I12: after visitors of all kinds every key expires but one, and none later than is allowed', async () => {
  const { stdout } = await run(process.execPath, [PROGRAM])
  expect(stdout).toContain('Every key expires but the one ledger.')
  for (const kind of KINDS) expect(stdout).toMatch(new RegExp(`^${kind}.* [1-9]`, 'm'))
  expect(stdout).not.toContain('not known')
})

it('the program finds a key that does not expire, one that lives too long, one of no kind, and a database without any', async () => {
  await using redis = await startRedisServer()
  const complaints = async (...options: string[]): Promise<string> => {
    const ended = await run(process.execPath, [PROGRAM, '--url', redis.url, ...options]).then(
      ({ stdout }) => ({ stdout, code: 0 }),
      (error: { stdout: string; code: number }) => error,
    )
    return `${ended.stdout}${ended.code}`
  }
  expect(await complaints()).toMatch(/There is no key that begins with hf:\n1$/)
  const record = `hf:${'r'.repeat(24)}`
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['hf:@ada', 'x', '', '1 of 1 keys do not expire: indexes of users'],
    ['hf:@ada', 'x', '90000', 'A key lives for 25.00 h'],
    ['hf:shop:@ada', 'x', '', '1 of 1 keys do not expire: indexes of users'],
    [record, '\u0001…', '7200', 'A key lives for 2.00 h, and at most 33.0 min are allowed: sessions'],
    [record, '\u0002…', '', '1 of 1 keys do not expire: action cycles'],
    ['hf:#7', 'me', '1000', 'at most 15.0 min are allowed: leases'],
    ['hf:?', 'x', '60', '1 keys are none that Holdfast makes'],
  ]
  for (const [key, value, life, complaint] of cases) {
    await redis.cli('set', key, value, ...(life === '' ? [] : ['ex', life]))
    const found = await complaints()
    expect(found).toContain(complaint)
    expect(found).toMatch(/1$/)
    await redis.cli('del', key)
  }
})

it('the program only reads a database that is in use, and looks at nothing but the keys of its prefix', async () => {
  await using redis = await startRedisServer()
  await redis.cli('set', 'hf:#', 'x')
  await redis.cli('set', 'hf:@ada', 'x', 'ex', '3600')
  await redis.cli('set', 'of somebody else', 'x')
  const before = await redis.cli('info', 'persistence')
  const { stdout } = await run(process.execPath, [PROGRAM, '--url', redis.url])
  expect(stdout).toContain('Every key expires but the one ledger.')
  const changes = /rdb_changes_since_last_save:\d+/
  expect(changes.exec(await redis.cli('info', 'persistence'))).toEqual(changes.exec(before))
})
