/** One configuration for each role. */
import type { ClusterConf, PrimaryConf, RedisConfOptions, ReplicaConf, SentinelConf } from 'holdfast/redis'

export const PASSWORDS = {
  holdfast: 'the password of holdfast',
  operator: 'the-password-of-the-operator',
  replication: 'the-password-of-replicas',
  sentinel: 'the-password-of-sentinels',
}

const TLS = { cert: '/etc/redis/cert.pem', key: '/etc/redis/key.pem', ca: '/etc/redis/ca.pem' }

export const PRIMARY = { memory: '2gb', passwords: PASSWORDS } satisfies PrimaryConf
export const REPLICA = { ...PRIMARY, role: 'replica', primary: { host: '10.0.0.1' } } satisfies ReplicaConf
const CLUSTER = {
  role: 'cluster',
  memory: '2gb',
  passwords: { holdfast: PASSWORDS.holdfast, replication: PASSWORDS.replication },
  announce: { host: '10.0.0.3' },
} satisfies ClusterConf
export const SENTINEL = {
  role: 'sentinel',
  primary: { host: '10.0.0.1' },
  passwords: { holdfast: PASSWORDS.holdfast, operator: PASSWORDS.operator, sentinel: PASSWORDS.sentinel },
} satisfies SentinelConf

export const all: readonly (readonly [role: string, options: RedisConfOptions])[] = [
  ['primary', PRIMARY],
  ['primary with replicas and TLS', { ...PRIMARY, replicas: 2, tls: TLS }],
  ['replica', { ...REPLICA, announce: { host: 'redis-2', port: 7000 } }],
  ['node of a cluster', CLUSTER],
  ['node of a cluster with TLS', { ...CLUSTER, tls: { ...TLS, clientCertificates: true } }],
  ['Sentinel', SENTINEL],
  ['Sentinel with names and TLS', { ...SENTINEL, primary: { host: 'redis-1' }, announce: { host: 'a' }, tls: TLS }],
]
