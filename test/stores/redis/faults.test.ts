import { describe, expect, it } from 'vitest'

import { endedMarker } from '../../../src/core/record.ts'
import { DONE } from '../../../src/core/store.ts'
import { OptionsError } from '../../../src/errors.ts'
import { adviceFor } from '../../../src/stores/redis/failures.ts'
import { ioredisLinks } from '../../../src/stores/redis/ioredis.ts'
import { keysUnder } from '../../../src/stores/redis/keys.ts'
import { ErrorReply } from '../../../src/stores/redis/link.ts'
import { RedisStore } from '../../../src/stores/redis/redis-store.ts'
import { ownTime } from '../../support/own-time.ts'
import { freePort } from '../../support/redis-server.ts'
import {
  eventually,
  failure,
  line,
  LONG,
  newSelector,
  openStore,
  record,
  server,
  settlesWithin,
  store,
  version,
} from './fixture.ts'

const DEADLINE = 300
/** What I6 allows beyond the deadline. */
const SLACK = 50

describe('a server that is not there', () => {
  it('fails open at the deadline, and later calls at once', async () => {
    const absent = store({ url: `redis://127.0.0.1:${await freePort()}`, deadline: DEADLINE })
    const opening = await failure(() => absent.open())
    expect(opening.error.message).toContain('ECONNREFUSED')
    const creating = failure(() => absent.create(newSelector(), record(1), LONG))
    expect(await settlesWithin(SLACK, creating)).toBe(true)
    expect((await creating).error.applied).toBe('no')
  })

  it('is used as soon as it comes, without anything being done about it', async () => {
    const redis = await server()
    await redis.kill()
    const late = store({ url: redis.url, deadline: DEADLINE })
    await failure(() => late.open())
    await redis.start()
    await eventually(() => late.open())
    expect(await late.load(newSelector())).toBeUndefined()
  })
})

describe('a server that hangs (SIGSTOP)', () => {
  it('I6: fails every call within one deadline; afterwards at once; and is used again when it goes on', async () => {
    const redis = await server()
    const opened = await openStore({ url: redis.url, deadline: DEADLINE })
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    redis.pause()
    const read = failure(() => opened.load(selector))
    const write = failure(() => opened.replace(selector, version(1), record(2), LONG))
    expect(await settlesWithin(DEADLINE + SLACK, read, write)).toBe(true)
    expect([(await read).error.applied, (await write).error.applied]).toEqual(['no', 'unknown'])
    const later = failure(() => opened.touch(selector, LONG))
    expect(await settlesWithin(SLACK, later)).toBe(true)
    expect((await later).error.applied).toBe('no')
    redis.resume()
    const found = await eventually(() => opened.load(selector))
    expect([record(1), record(2)]).toContainEqual(new Uint8Array(found ?? []))
  })

  it('closes within a deadline, and leaves no socket', async () => {
    const redis = await server()
    const sockets = openSockets()
    const opened = await openStore({ url: redis.url, deadline: DEADLINE })
    redis.pause()
    const pending = failure(() => opened.load(newSelector()))
    // The sockets take a moment to go.
    expect(await settlesWithin(DEADLINE + 4 * SLACK, opened.close())).toBe(true)
    await pending
    expect(openSockets()).toBe(sockets)
  })
})

describe('a server that was killed', () => {
  it('and is started again with its data goes on with them; a read that meets it waits', async () => {
    const redis = await server('--appendonly', 'yes', '--appendfsync', 'always')
    const opened = await openStore({ url: redis.url, deadline: 5_000 })
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    const lease = await opened.nextLease()
    await redis.kill()
    const reading = opened.load(selector)
    await redis.start()
    expect(new Uint8Array((await reading) ?? [])).toEqual(record(1))
    expect(await opened.replace(selector, version(1), record(2), LONG)).toEqual(DONE)
    expect(await opened.nextLease()).toBeGreaterThan(lease)
  })

  it('and is started again empty has nothing, and takes sessions', async () => {
    const redis = await server()
    const opened = await openStore({ url: redis.url, deadline: 5_000 })
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    await redis.kill()
    await redis.start()
    expect(await opened.load(selector)).toBeUndefined()
    expect(await opened.replace(selector, version(1), record(2), LONG)).toEqual({ done: false, found: undefined })
    expect(await opened.create(selector, record(3), LONG)).toEqual(DONE)
  })
})

describe('an answer that is lost', () => {
  it('I2: leaves a write unknown, and the server got it exactly once', async () => {
    const redis = await server()
    const wire = await line(redis)
    const opened = await openStore({ url: wire.url, deadline: 1_000 })
    const selector = newSelector()
    await opened.create(selector, record(1), LONG)
    // So that the server knows the script, and the answer that is lost is the one to the change itself.
    await opened.replace(selector, version(9), record(9), LONG)
    await redis.cli('config', 'resetstat')
    wire.cut = true
    const { error } = await failure(() => opened.replace(selector, version(1), record(2), LONG))
    wire.cut = false
    expect(error.applied).toBe('unknown')
    expect(new Uint8Array((await eventually(() => opened.load(selector))) ?? [])).toEqual(record(2))
    expect(await redis.cli('info', 'commandstats')).not.toMatch(/cmdstat_set:calls=[^1]/)
  })
})

describe('what no waiting mends', () => {
  it.each([
    ['a missing password', '', /NOAUTH/],
    ['a wrong password', ':wrong@', /WRONGPASS/],
    ['an unknown user', 'nobody:secret@', /WRONGPASS/],
  ])('%s ends open at once, with an OptionsError', async (_, credentials, reason) => {
    const redis = await server('--requirepass', 'secret')
    const refused = store(`redis://${credentials}127.0.0.1:${redis.port}`)
    const own = ownTime()
    const error: unknown = await refused.open().catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(OptionsError)
    expect(String(error)).toMatch(reason)
    expect(own.stop()).toBeLessThan(500)
  })

  it('the right password opens', async () => {
    const redis = await server('--requirepass', 'secret')
    const opened = await openStore(`redis://:secret@127.0.0.1:${redis.port}`)
    expect(await opened.nextLease()).toBe(1)
  })

  it('a user that may not run scripts, or not touch our keys, ends open with an OptionsError', async () => {
    const redis = await server()
    await redis.cli('acl', 'setuser', 'noscript', 'on', '>pw', '~hf:*', '+@all', '-@scripting')
    await redis.cli('acl', 'setuser', 'elsewhere', 'on', '>pw', '~other:*', '+@all')
    for (const user of ['noscript', 'elsewhere']) {
      const refused = store(`redis://${user}:pw@127.0.0.1:${redis.port}`)
      await expect(refused.open()).rejects.toThrow(OptionsError)
      await expect(refused.open()).rejects.toThrow(/NOPERM/)
    }
  })

  it('a user that may run scripts, and not what is in them, ends open with an OptionsError', async () => {
    const redis = await server()
    await redis.cli('acl', 'setuser', 'shop', 'on', '>pw', '~hf:*', '+@all', '-hget')
    const refused = store(`redis://shop:pw@127.0.0.1:${redis.port}`)
    await expect(refused.open()).rejects.toThrow(OptionsError)
    await expect(refused.open()).rejects.toThrow(/must be allowed what the store does/)
    // In the words of Redis 7.2 and Valkey.
    const later = new ErrorReply("ERR ACL failure in script: User shop has no permissions to run the 'hget' command")
    expect(adviceFor(later)).toContain('must be allowed what the store does')
  })

  it('a database that does not exist ends open with an OptionsError, instead of using another one', async () => {
    const redis = await server('--databases', '2')
    const refused = store(`${redis.url}/7`)
    await expect(refused.open()).rejects.toThrow(OptionsError)
    expect(await redis.cli('info', 'keyspace')).not.toContain('db0')
  })

  it('a store that could not be opened, or never was, closes all the same', async () => {
    const settings = { deadline: DEADLINE, maxPending: 1 }
    const connect = (): Promise<never> => Promise.reject(new OptionsError('store', 'no package'))
    const broken = new RedisStore(keysUnder('hf:'), settings, connect, true)
    await expect(broken.open()).rejects.toThrow('no package')
    await broken.close()
    await store('redis://127.0.0.1:1').close()
  })

  it('a missing package is said with the command that installs it', async () => {
    const missing = Object.assign(new Error("Cannot find package 'ioredis'"), { code: 'ERR_MODULE_NOT_FOUND' })
    await expect(ioredisLinks(() => Promise.reject(missing))).rejects.toThrow(/npm install ioredis/)
  })
})

describe('a user whose rights are taken away later', () => {
  it('gets typed errors for what it may not do any more, and goes on with the rest', async () => {
    const redis = await server()
    await redis.cli('acl', 'setuser', 'shop', 'on', '>pw', '~hf:*', '+@all')
    const opened = await openStore(`redis://shop:pw@127.0.0.1:${redis.port}`)
    await redis.cli('acl', 'setuser', 'shop', '-set')
    const { error } = await failure(() => opened.create(newSelector(), record(1), LONG))
    expect(error.applied).toBe('no')
    expect(error.message).toContain('NOPERM')
    expect(await opened.load(newSelector())).toBeUndefined()
  })

  it('does not know what a script did that was stopped half-way: something, here', async () => {
    const redis = await server()
    await redis.cli('acl', 'setuser', 'shop', 'on', '>pw', '~hf:*', '+@all')
    const opened = await openStore(`redis://shop:pw@127.0.0.1:${redis.port}`)
    await redis.cli('acl', 'setuser', 'shop', '-zremrangebyscore')
    const { error } = await failure(() => opened.enroll('ada', newSelector(), LONG))
    expect(error.applied).toBe('unknown')
    expect(error.message).toContain('must be allowed what the store does')
    expect((await opened.roll('ada')).entries).toHaveLength(1)
  })

  it('I8: is told so without a selector in the message', async () => {
    const redis = await server()
    await redis.cli('acl', 'setuser', 'shop', 'on', '>pw', '~hf:#*', '+@all')
    const opened = await openStore(`redis://shop:pw@127.0.0.1:${redis.port}`)
    const selector = newSelector()
    const { error } = await failure(() => opened.end(selector, endedMarker('revoked'), LONG))
    expect(JSON.stringify([error.message, error.cause, String(error.cause)])).not.toContain(selector)
  })
})

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length
}
