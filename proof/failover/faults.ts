/** What is done to Redis while visitors come, and undone again. */
import type { Member } from '../../test/support/network.ts'
import type { FaultSort } from '../history/history.ts'
import { type Deployment, type Form, primaryOf, VICTIM } from './deployment.ts'

type On<F extends Form> = Extract<Deployment, { form: F }>

export interface Fault {
  readonly name: string
  readonly form: Form
  /** How long it lasts, in seconds; then it is undone. */
  readonly seconds: number
  /** `forgets`: Redis itself forgets what it acknowledged. Then lost sessions and writes are counted, and are no fault of ours. */
  readonly sort: FaultSort
  /** Makes the fault, and answers what undoes it. */
  begin(deployment: Deployment): Promise<() => Promise<void> | void>
}

function single(fault: Omit<Fault, 'form' | 'begin'> & { begin(on: On<'single'>): ReturnType<Fault['begin']> }): Fault {
  return { ...fault, form: 'single', begin: (on) => fault.begin(on as On<'single'>) }
}

/** The same fault on the primary of a pair with Sentinels, and on one primary of a cluster. */
function onPrimary(
  fault: Omit<Fault, 'form' | 'begin'> & {
    begin(primary: Member, on: On<'sentinel'> | On<'cluster'>): ReturnType<Fault['begin']>
  },
): readonly Fault[] {
  return (['sentinel', 'cluster'] as const).map((form) => ({
    ...fault,
    form,
    begin: async (deployment) => {
      const on = deployment as On<'sentinel'> | On<'cluster'>
      return fault.begin(await primaryOf(on), on)
    },
  }))
}

function othersThan(primary: Member, { redis }: On<'sentinel'> | On<'cluster'>): readonly Member[] {
  const sentinels = 'sentinels' in redis ? redis.sentinels : []
  return [...redis.nodes, ...sentinels].filter((node) => node !== primary)
}

export const FAULTS: readonly Fault[] = [
  single({
    name: 'killed, and started again empty',
    sort: 'forgets',
    seconds: 3,
    begin: async ({ server }) => {
      await server.kill()
      return () => server.start()
    },
  }),
  single({
    name: 'stopped (SIGSTOP), then continued',
    sort: 'outage',
    seconds: 8,
    begin: async ({ server }) => {
      server.pause()
      return () => server.resume()
    },
  }),
  single({
    name: 'half-open connection',
    sort: 'outage',
    seconds: 8,
    begin: async ({ link }) => {
      link.freeze('dropped')
      return () => link.restore()
    },
  }),
  single({
    name: 'out of memory (noeviction)',
    sort: 'unwritable',
    seconds: 6,
    begin: async ({ server }) => {
      await server.cli('config', 'set', 'maxmemory', '1')
      return async () => {
        await server.cli('config', 'set', 'maxmemory', '0')
      }
    },
  }),
  single({
    name: 'slow by 200 ms',
    sort: 'none',
    seconds: 6,
    begin: async ({ link }) => {
      link.delay(100)
      return () => link.restore()
    },
  }),
  ...onPrimary({
    name: 'primary killed (kill -9)',
    sort: 'failover',
    seconds: 10,
    begin: async (primary) => {
      await primary.kill()
      return () => primary.start()
    },
  }),
  ...onPrimary({
    name: 'primary stopped (SIGSTOP), then continued',
    sort: 'failover',
    seconds: 10,
    begin: async (primary) => {
      primary.pause()
      return () => primary.resume()
    },
  }),
  ...onPrimary({
    name: 'primary cut off from all but the application',
    sort: 'failover',
    seconds: 10,
    begin: async (primary, on) => {
      on.redis.network.split([primary], othersThan(primary, on))
      return () => on.redis.network.heal()
    },
  }),
  ...onPrimary({
    name: 'primary cut off from its replicas alone',
    sort: 'failover',
    seconds: 6,
    begin: async (primary, on) => {
      const replicas =
        on.form === 'cluster' ? [await on.redis.replicaOf(await on.redis.primaryOf(VICTIM))] : on.redis.nodes
      on.redis.network.split(
        [primary],
        replicas.filter((node) => node !== primary),
      )
      return () => on.redis.network.heal()
    },
  }),
  ...onPrimary({
    name: 'application cut off from the primary',
    sort: 'outage',
    seconds: 6,
    begin: async (primary, on) => {
      on.redis.network.split(['application'], [primary])
      return () => on.redis.network.heal()
    },
  }),
  {
    name: 'planned (SENTINEL FAILOVER)',
    sort: 'failover',
    form: 'sentinel',
    seconds: 4,
    begin: async (deployment) => {
      await (deployment as On<'sentinel'>).redis.failover()
      return () => undefined
    },
  },
  {
    name: 'planned, writes paused first (CLIENT PAUSE)',
    sort: 'failover',
    form: 'sentinel',
    seconds: 4,
    begin: async (deployment) => {
      const { redis } = deployment as On<'sentinel'>
      const primary = await redis.primary()
      await primary.cli('client', 'pause', '5000', 'write')
      await redis.failover()
      return () => undefined
    },
  },
  {
    name: 'a Sentinel killed',
    sort: 'none',
    form: 'sentinel',
    seconds: 4,
    begin: async (deployment) => {
      const [first] = (deployment as On<'sentinel'>).redis.sentinels
      await first?.kill()
      return () => first?.start()
    },
  },
  {
    name: 'planned (CLUSTER FAILOVER)',
    sort: 'failover',
    form: 'cluster',
    seconds: 4,
    begin: async (deployment) => {
      const { redis } = deployment as On<'cluster'>
      await redis.failover(await redis.replicaOf(await redis.primaryOf(VICTIM)))
      return () => undefined
    },
  },
]

/** Away for a minute, to see that nothing grows and nobody is logged out. */
export const LONG_OUTAGE: Fault = single({
  name: 'stopped for a minute',
  sort: 'outage',
  seconds: 60,
  begin: async ({ server }) => {
    server.pause()
    return () => server.resume()
  },
})
