/** What the configurations of the tests' servers say where nobody else writes them. */

export const HOST = '127.0.0.1'

interface At {
  readonly port: number
  readonly directory: string
  /** Where others reach it, if not at its port. */
  readonly announce: Address | undefined
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** What a data node's configuration has to say; as options of `redisConf`. */
export type DataNodeAt = At & ({ readonly role: 'primary' } | { readonly role: 'replica'; readonly primary: Address })

/** What a Sentinel's configuration has to say; as options of `redisConf`. */
export interface SentinelAt extends At {
  readonly role: 'sentinel'
  readonly primary: Address & { readonly name: string }
  readonly sentinels: number
  readonly quorum: number
  readonly downAfter: `${number}ms`
  readonly failoverTimeout: `${number}ms`
}

/** What a cluster node's configuration has to say; as options of `redisConf`. */
export interface ClusterNodeAt extends At {
  readonly role: 'cluster'
  readonly replicas: number
  readonly nodeTimeout: `${number}ms`
}

const DATA_LINES = [
  'save ""',
  // By default a new replica waits 5 s for others to come.
  'repl-diskless-sync-delay 0',
]

/** The lines as a file. */
export function fileOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}

/** Of a primary, or of a replica, which Sentinels watch. */
export function dataNodeLines(at: DataNodeAt, password: string | undefined): string[] {
  return [
    ...commonLines(at),
    ...DATA_LINES,
    ...announcing('replica-announce', at),
    ...(at.role === 'replica' ? [`replicaof ${at.primary.host} ${at.primary.port}`] : []),
    ...passwordLines(password),
  ]
}

/** Of a Sentinel: `password` is that of the servers, `own` that of the Sentinels. */
export function sentinelLines(at: SentinelAt, password: string | undefined, own: string | undefined): string[] {
  const { name, host, port } = at.primary
  return [
    ...commonLines(at),
    ...announcing('sentinel announce', at),
    `sentinel monitor ${name} ${host} ${port} ${at.quorum}`,
    `sentinel down-after-milliseconds ${name} ${Number.parseInt(at.downAfter, 10)}`,
    `sentinel failover-timeout ${name} ${Number.parseInt(at.failoverTimeout, 10)}`,
    `sentinel parallel-syncs ${name} 1`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${name} ${password}`]),
    ...(own === undefined ? [] : [`requirepass ${own}`, `sentinel sentinel-pass ${own}`]),
  ]
}

/** Of a node of a cluster. */
export function clusterNodeLines(at: ClusterNodeAt, password: string | undefined): string[] {
  return [
    ...commonLines(at),
    ...DATA_LINES,
    'cluster-enabled yes',
    'cluster-config-file nodes.conf',
    `cluster-node-timeout ${Number.parseInt(at.nodeTimeout, 10)}`,
    ...announcing('cluster-announce', at),
    ...passwordLines(password),
  ]
}

function commonLines({ port, directory }: Pick<At, 'port' | 'directory'>): string[] {
  return [`port ${port}`, `bind ${HOST}`, `dir ${directory}`, 'daemonize no']
}

function announcing(setting: string, { announce }: Pick<At, 'announce'>): string[] {
  return announce === undefined ? [] : [`${setting}-ip ${announce.host}`, `${setting}-port ${announce.port}`]
}

function passwordLines(password: string | undefined): string[] {
  return password === undefined ? [] : [`requirepass ${password}`, `masterauth ${password}`]
}
