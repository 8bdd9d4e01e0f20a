/** The options of `redisConf`. */
import type { Duration } from '../../../types.ts'
import type { Password } from './access.ts'
import type { MachineMemory, Memory } from './memory.ts'

/** Where a server is reached. */
export interface Endpoint {
  /** A name or an address. */
  readonly host: string
  /** Default: 6379. */
  readonly port?: number | undefined
}

/** TLS on every connection, those between the servers too. Paths of files in PEM, as the server's machine has them. */
export interface RedisConfTls {
  readonly cert: string
  readonly key: string
  /** Who signed the certificates of the other servers, and of clients. */
  readonly ca: string
  /** Whether clients have to show a certificate beside their password. Default: false. */
  readonly clientCertificates?: boolean | undefined
}

export interface NodeOptions {
  /** Addresses to listen on. Default: the loopback ones, which no other machine reaches. */
  readonly bind?: readonly string[] | undefined
  /** Default: 6379; of a Sentinel 26379. */
  readonly port?: number | undefined
  /** Where it keeps its files. Default: `/var/lib/redis`. */
  readonly directory?: string | undefined
  /** Where others reach it, if that is not where it listens: in containers, behind address translation. Default: where it listens. */
  readonly announce?: Endpoint | undefined
  /** Default: none. */
  readonly tls?: RedisConfTls | undefined
  /** What Holdfast's user is called. Default: `holdfast`. */
  readonly user?: string | undefined
}

export interface ServerOptions extends NodeOptions {
  /** What Redis may use, all in all. */
  readonly memory: Memory | MachineMemory
  /** The prefix of the store's keys, as `redisStore` takes it. Default: `hf:`. */
  readonly prefix?: string | undefined
  /** The application's name, as `createSessions` takes it. Default: none, which is every application under the prefix. */
  readonly name?: string | undefined
  /** How many replicas the primary has; in a cluster, each primary. Default: 0 for a primary, 1 for a replica and in a cluster. */
  readonly replicas?: number | undefined
  /** How many of them must be there for the primary to take writes. Default: 1 where there are two or more, else 0. */
  readonly minReplicas?: number | undefined
  /** At least 16 characters each. */
  readonly passwords: {
    readonly holdfast: Password
    /** Of the user `operator`, who may do everything. Default: there is no such user. */
    readonly operator?: Password | undefined
    /** Of the user `replication`. Needed where there are replicas, and in clear, for each server may become one. */
    readonly replication?: string | undefined
    /** Of the user `sentinel`. Default: no Sentinels. */
    readonly sentinel?: Password | undefined
  }
}

export interface PrimaryConf extends ServerOptions {
  /** The default. */
  readonly role?: 'primary' | undefined
}

export interface ReplicaConf extends ServerOptions {
  readonly role: 'replica'
  /** Whose replica it is at its start. */
  readonly primary: Endpoint
}

export interface ClusterConf extends ServerOptions {
  readonly role: 'cluster'
  /** How long a node may be silent before it counts as failed. Default: `5s`. */
  readonly nodeTimeout?: Duration | undefined
}

export interface SentinelConf extends NodeOptions {
  readonly role: 'sentinel'
  /** Who is the primary at the start, and under which name clients ask for it. Default name: `holdfast`. */
  readonly primary: Endpoint & { readonly name?: string | undefined }
  /** How many Sentinels there are. Default: 3. */
  readonly sentinels?: number | undefined
  /** How many must find the primary down. Default: the majority. */
  readonly quorum?: number | undefined
  /** How long the primary may be silent. Default: `5s`. */
  readonly downAfter?: Duration | undefined
  /** How long a fail-over may take; it is tried again after twice this. Default: `30s`. */
  readonly failoverTimeout?: Duration | undefined
  readonly passwords: {
    /** Of Holdfast's user, at this Sentinel. */
    readonly holdfast: Password
    /** Of the user `operator` at this Sentinel. Default: there is no such user. */
    readonly operator?: Password | undefined
    /** Of the user `sentinel`, at the servers and among the Sentinels: in clear, for this one presents it. */
    readonly sentinel: string
  }
}

/** Which server the configuration is for, by `role`. */
export type RedisConfOptions = PrimaryConf | ReplicaConf | ClusterConf | SentinelConf
