/** The store's whole contract on a cluster, with replicas that confirm. */
import { setTimeout as wait } from 'node:timers/promises'

import { redisStore } from 'holdfast/redis'
import { storeContract } from 'holdfast/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'

import { type Cluster, startCluster } from '../support/redis-cluster.ts'
import { serverPrograms } from '../support/server-programs.ts'

describe.each(serverPrograms())('$name', ({ name, binary }) => {
  let redis: Cluster
  let applications = 0

  beforeAll(async () => {
    redis = await startCluster({ binary, nodeTimeout: 15_000 })
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
    `${name}, as a cluster`,
    { start, unit: 150, realTime: true, model: { runs: 3 } },
    { describe, it: it.concurrent },
  )
})
