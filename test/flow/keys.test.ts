/** I12: nothing in Redis is kept for ever, but the one key that counts leases. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

import { startRedisServer } from '../support/redis-server.ts'

const run = promisify(execFile)
const PROGRAM = fileURLToPath(new URL('../../build/proof/keys.js', import.meta.url))

it('I12: after visitors of all kinds every key expires but one', async () => {
  const { stdout } = await run(process.execPath, [PROGRAM])
  expect(stdout).toContain('Every key expires but the one ledger.')
})

it('the program finds a key that does not expire, one that lives too long, and a database without any', async () => {
  await using redis = await startRedisServer()
  const complaints = async (): Promise<string> => {
    const failed = await run(process.execPath, [PROGRAM, '--url', redis.url]).catch(
      (error: { stdout: string }) => error,
    )
    return failed.stdout
  }
  expect(await complaints()).toContain('There is no key that begins with hf:')
  await redis.cli('set', 'hf:@ada', 'x')
  expect(await complaints()).toContain('1 of 1 keys do not expire')
  await redis.cli('set', 'hf:@ada', 'x', 'ex', '90000')
  expect(await complaints()).toContain('A key lives for 25.00 h')
})
