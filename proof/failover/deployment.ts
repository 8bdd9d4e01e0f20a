/** Redis in its three forms, as the faults need it: who serves, who follows, and lines that can be broken. */
import { type Cluster, startCluster } from '../../test/support/redis-cluster.ts'
import { type Link, startLink } from '../../test/support/link.ts'
import type { Member } from '../../test/support/network.ts'
import { type RedisServer, startRedisServer } from '../../test/support/redis-server.ts'
import { type Sentinels, startSentinels } from '../../test/support/redis-sentinel.ts'

export type Form = 'single' | 'sentinel' | 'cluster'

export type Deployment =
  | {
      readonly form: 'single'
      readonly url: string
      readonly server: RedisServer
      readonly link: Link
      stop(): Promise<void>
    }
  | { readonly form: 'sentinel'; readonly url: string; readonly redis: Sentinels; stop(): Promise<void> }
  | { readonly form: 'cluster'; readonly url: string; readonly redis: Cluster; stop(): Promise<void> }

/** A key of which one node of a cluster is the primary: the one that faults are made on. */
export const VICTIM = 'hf:victim'

/** Starts it; servers keep nothing on disk. Where there are several, gates break the lines between them, or the kernel. */
export async function deploy(form: Form, by: 'gates' | 'namespaces' = 'gates'): Promise<Deployment> {
  if (form === 'single') return deploySingle()
  const links = by === 'gates' ? true : by
  const redis = form === 'sentinel' ? await startSentinels({ links }) : await startCluster({ links })
  return { form, url: redis.url, redis, stop: () => redis.stop() } as Deployment
}

async function deploySingle(): Promise<Deployment> {
  const server = await startRedisServer()
  const link = await startLink({ to: server.port })
  return {
    form: 'single',
    url: `redis://127.0.0.1:${link.port}`,
    server,
    link,
    stop: async () => {
      await link.stop()
      await server.stop()
    },
  }
}

/** The primary that faults are made on. */
export function primaryOf(deployment: Exclude<Deployment, { form: 'single' }>): Promise<Member> {
  return deployment.form === 'sentinel' ? deployment.redis.primary() : deployment.redis.primaryOf(VICTIM)
}
