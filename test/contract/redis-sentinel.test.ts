/** The store's whole contract on the primary that Sentinels name, with replicas that confirm. */
import { setTimeout as wait } from 'node:timers/promises'

import { redisStore } from 'holdfast/redis'
import { storeContract } from 'holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'

import { type Sentinels, startSentinels } from '../support/redis-sentinel.ts'
import { serverPrograms } from '../support/server-programs.ts'

describe.each(serverPrograms())('$name', ({ name, binary }) => {
  let redis: Sentinels
  let applications = 0

  beforeAll(async () => {
    redis = await startSentinels({ binary, downAfter: 30_000 })
  })
  afterAll(() => redis.stop())

  /** An application of its own for each test, so that nothing has to be cleared away. */
  function start() {
    applications += 1
    const options = { url: redis.url, name: `t${applications}` }
    return { connect: () => redisStore(options), advance: (ms: number) => wait(ms), destroy: () => undefined }
  }

  // Most of the time passes by waiting, which several tests can do at once.
  storeContract(
    `${name}, behind Sentinels`,
    { start, unit: 150, realTime: true, model: { runs: 3 } },
    { describe, it: it.concurrent },
  )
})
