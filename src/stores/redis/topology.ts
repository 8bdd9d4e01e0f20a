/** The deployment that a URL names, over links of the store's own. */
import type { Access } from './access.ts'
import { Cluster } from './cluster.ts'
import type { Deployment } from './deployment.ts'
import type { OpenLink } from './link.ts'
import { patienceOf, type RedisSettings } from './options.ts'
import { SentinelDeployment } from './sentinel.ts'
import type { ServerSettings } from './server.ts'
import { Single } from './single.ts'

/** `links`: opens links with an access. */
export function deploymentOf(settings: RedisSettings, links: (access: Access) => OpenLink): Deployment {
  const { topology, access, sentinelAccess, deadline, replicas } = settings
  const { kind, endpoints, name } = topology
  const patience = patienceOf(deadline)
  const servers: ServerSettings = { open: links(access), deadline, replicas, keysMove: kind === 'cluster' }
  if (kind === 'sentinel')
    return new SentinelDeployment({ sentinels: endpoints, name, open: links(sentinelAccess), patience }, servers)
  if (kind === 'cluster') return new Cluster({ ...servers, seeds: endpoints, patience })
  return new Single(endpoints[0], servers)
}
