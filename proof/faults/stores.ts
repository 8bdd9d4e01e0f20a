/** Faults of the store: those of `proof:failover`, and more. */
import { rmSync } from 'node:fs'
import path from 'node:path'

import type { Deployed } from '../deployment/deployment.ts'
import { type Deployment as RedisDeployment, primaryOf } from '../failover/deployment.ts'
import { FAULTS as FAILOVER, type Fault as RedisFault } from '../failover/faults.ts'
import type { StoreName } from '../history/history.ts'
import type { Fault } from './fault.ts'

/** How long all may take to agree again, in milliseconds. */
const SETTLING_MOST = 40_000

type Form = RedisDeployment['form']
type On<F extends Form> = Extract<RedisDeployment, { form: F }>

export const STORE_FAULTS: readonly Fault[] = [
  ...FAILOVER.map(ofRedis),
  ofRedis({
    form: 'single',
    name: 'restored from an old dump',
    sort: 'forgets',
    seconds: 3,
    begin: async (deployment) => {
      const { server } = deployment as On<'single'>
      await server.cli('save')
      return async () => {
        await server.kill()
        await server.start()
        rmSync(path.join(server.directory, 'dump.rdb'))
      }
    },
  }),
  ofRedis({
    form: 'single',
    name: 'connections cut, again and again',
    sort: 'outage',
    seconds: 4,
    begin: async (deployment) => {
      const { link } = deployment as On<'single'>
      const cutting = setInterval(() => {
        link.cut()
        link.restore()
      }, 300)
      return () => {
        clearInterval(cutting)
        link.restore()
      }
    },
  }),
  ofRedis({
    form: 'single',
    name: 'answers lost: what was asked is done, and nobody hears of it',
    sort: 'outage',
    seconds: 3,
    begin: async (deployment) => {
      const { link } = deployment as On<'single'>
      link.loseAnswers()
      return () => link.restore()
    },
  }),
  {
    name: 'one server’s line to Redis slow by 200 ms, the other’s not',
    sort: 'none',
    stores: ['redis'],
    seconds: 8,
    begin: async ({ lines }, random) => {
      const line = lines[random.below(lines.length)]
      line?.delay(100)
      return () => line?.restore()
    },
  },
  {
    name: 'lines to Redis that lose 5 of 100 packets',
    // Three in a row are later than the deadline.
    sort: 'outage',
    stores: ['redis'],
    seconds: 6,
    begin: async ({ lines }, random) => {
      for (const line of lines) {
        const chance = random.fork()
        line.lose(0.05, () => chance.next())
      }
      return () => {
        for (const line of lines) line.restore()
      }
    },
  },
  ...(['sentinel', 'cluster'] as const).map((form) =>
    ofRedis({
      form,
      name: 'a replica killed (kill -9)',
      sort: 'outage',
      seconds: 3,
      begin: async (deployment) => {
        const replica = await replicaOf(deployment as On<'sentinel'> | On<'cluster'>)
        await replica.kill()
        return () => replica.start()
      },
    }),
  ),
]

function ofRedis(fault: RedisFault): Fault {
  const stores: readonly StoreName[] = [fault.form === 'single' ? 'redis' : fault.form]
  return {
    name: fault.form === 'single' ? `Redis ${fault.name}` : fault.name,
    sort: fault.sort,
    stores,
    seconds: fault.seconds,
    begin: async ({ redis }: Deployed) => {
      if (redis === undefined) throw new Error(`there is no Redis to do it to: ${fault.name}`)
      const undo = await fault.begin(redis)
      return async () => {
        await undo()
        if (redis.form !== 'single') await redis.redis.settled(SETTLING_MOST)
      }
    },
  }
}

async function replicaOf(on: On<'sentinel'> | On<'cluster'>) {
  const primary = await primaryOf(on)
  if (on.form === 'cluster') return on.redis.replicaOf(await on.redis.primaryOf('hf:victim'))
  const replica = on.redis.nodes.find((node) => node !== primary)
  if (replica === undefined) throw new Error('there is no replica')
  return replica
}
