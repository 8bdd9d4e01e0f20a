import { setTimeout as wait } from 'node:timers/promises'

import { redisStore } from 'holdfast/redis'
import { storeContract } from 'holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'

import { type RedisServer, startRedisServer } from '../support/redis-server.ts'
import { serverPrograms } from '../support/server-programs.ts'

describe.each(serverPrograms())('$name', ({ name, binary }) => {
  let server: RedisServer
  let databases = 0

  beforeAll(async () => {
    server = await startRedisServer({ binary, args: ['--databases', '10000'] })
  })

  afterAll(() => server.stop())

  /** A database of its own for each test, so that nothing has to be cleared away. */
  function start() {
    databases += 1
    const url = `${server.url}/${databases}`
    return { connect: () => redisStore(url), advance: (ms: number) => wait(ms), destroy: () => undefined }
  }

  // Redis has no clock that can be set: time passes, and a unit has to outlast the pauses of a busy machine.
  storeContract(name, { start, unit: 150, realTime: true, model: { runs: 20 } }, { describe, it })
})
