/** The configuration of a server that keeps sessions: a primary, a replica, or a node of a cluster. */
import { holdfast, nobody, operator, replication, REPLICATION, watcher } from './access.ts'
import { FORK_FACTOR, FRAGMENTATION, type MemoryPlan, roomFor, sizeText } from './memory.ts'
import { network } from './network.ts'
import type { Server } from './resolve.ts'
import { fileText, setting, type Setting } from './text.ts'

const ROLES: Readonly<Record<Server['role'], string>> = {
  primary: 'the primary',
  replica: 'a replica',
  cluster: 'a node of a cluster',
}

/** After this many seconds without an acknowledgement a replica counts as away. */
const REPLICA_LAG = 10
const REPLICA_SOFT_SECONDS = 60

export function serverConf(server: Server): string {
  return fileText(head(server), [
    network(server),
    { title: 'Memory', settings: memory(server.memory) },
    { title: 'On the disk', settings: disk(server) },
    { title: 'Replication', settings: replicating(server) },
    { title: 'Cluster', settings: cluster(server) },
    { title: 'Who may do what', settings: users(server) },
    { title: 'Staying quick, and saying when not', settings: pace() },
  ])
}

function head({ role, replicas, passwords }: Server): string[] {
  const changing = 'Redis writes to this file when roles change, so its user owns it; the comments stay.'
  const secret = 'The password of replication stands in it in clear: nobody else may read it.'
  return [
    `Redis for Holdfast's sessions: ${ROLES[role]}. For Redis 7.0 and later, and Valkey, on a machine or in a container of its own.`,
    `Start: redis-server with the path of this file.${passwords.sentinel === undefined ? '' : ` ${changing}`}${replicas > 0 ? ` ${secret}` : ''}`,
    '',
    'Outside this file, on the machine: vm.overcommit_memory = 1, or a child may not be made when the files are written anew; no swap, for a session that has to be fetched from the disk is late for its deadline.',
  ]
}

function memory(plan: MemoryPlan): Setting[] {
  const { total, data, replicaBuffer } = plan
  const buffers = replicaBuffer > 0 ? `, and ${sizeText(replicaBuffer)} that replicas may be behind` : ''
  const rule = `Of ${sizeText(total)}, without Redis itself${buffers}, one part in ${FORK_FACTOR * FRAGMENTATION}: while a child writes the files anew, each page that changes exists twice, at worst all of them, and a tenth more is what the allocator cannot use. About ${roomFor(plan).toLocaleString('en').replaceAll(',', ' ')} signed-in sessions.`
  return [
    setting(rule, 'maxmemory', sizeText(data)),
    setting(
      'When that is full, what needs room is refused, and Holdfast says so. To evict is to sign people out without a word.',
      'maxmemory-policy',
      'noeviction',
    ),
    setting(
      'Of how many records Redis remembers which servers have read them lately, to tell them of changes; about 256 bytes each, part of maxmemory. Beyond that some are told for nothing, and read again.',
      'tracking-table-max-keys',
      plan.trackedKeys,
    ),
    setting(
      'If memory runs out all the same, the child goes first, then a replica, the primary last.',
      'oom-score-adj',
      'relative',
    ),
    setting('How much sooner: the primary, a replica, a child.', 'oom-score-adj-values', 0, 200, 800),
  ]
}

function disk({ directory }: Server): Setting[] {
  return [
    setting(
      'Where the files are. They need three times maxmemory: the old ones, the new ones, and what comes meanwhile.',
      'dir',
      directory,
    ),
    setting(
      'Every change goes to a file. Without it a restart is an empty server, and empties its replicas.',
      'appendonly',
      'yes',
    ),
    setting(
      'To the disk once a second: a crash of the machine loses at most about the last two.',
      'appendfsync',
      'everysec',
    ),
    setting(
      'Also while the file is written anew, or such a crash would lose half a minute.',
      'no-appendfsync-on-rewrite',
      'no',
    ),
    setting('The file begins with a compact copy, which loads many times faster.', 'aof-use-rdb-preamble', 'yes'),
    setting('It is written anew when it has doubled.', 'auto-aof-rewrite-percentage', 100),
    setting('But not while it is small.', 'auto-aof-rewrite-min-size', '64mb'),
    setting(
      'After a crash the file may end in half a change: that is dropped, and the server starts.',
      'aof-load-truncated',
      'yes',
    ),
    setting(
      'No snapshots beside it: each costs a child, and a restored one would bring ended sessions back.',
      'save',
      '',
    ),
  ]
}

function replicating(server: Server): Setting[] {
  const { replicas } = server
  return replicas === 0 ? [] : [...links(server), ...limits(server), ...acknowledging(server), ...asReplica(server)]
}

/** The primary has these too: after a fail-over it is a replica. */
function links({ primary, passwords, announce, role }: Server): Setting[] {
  return [
    ...(primary === undefined
      ? []
      : [setting('Whose replica this is, until a fail-over.', 'replicaof', primary.host, primary.port)]),
    setting('As whom this server follows a primary.', 'masteruser', REPLICATION),
    setting('In clear, because it is presented.', 'masterauth', passwords.replication ?? ''),
    ...(announce === undefined || role === 'cluster'
      ? []
      : [
          setting('Where others reach this server.', 'replica-announce-ip', announce.host),
          setting('And its port.', 'replica-announce-port', announce.port),
        ]),
  ]
}

function limits({ memory: { backlog, replicaBuffer } }: Server): Setting[] {
  return [
    setting(
      'A replica that was away for a moment is given what it missed, not everything.',
      'repl-backlog-size',
      sizeText(backlog),
    ),
    setting(
      'A replica that falls further behind is cut off and begins anew, before its arrears take the memory.',
      'client-output-buffer-limit',
      'replica',
      sizeText(replicaBuffer),
      sizeText(backlog),
      REPLICA_SOFT_SECONDS,
    ),
    setting('A new replica is filled over the network, not by way of a file.', 'repl-diskless-sync', 'yes'),
  ]
}

function acknowledging({ minReplicas, replicas }: Server): Setting[] {
  const why =
    minReplicas > 0
      ? 'A primary that is cut off takes no more writes, instead of taking what will be lost.'
      : `No replica has to be there for a write: ${replicas > 1 ? 'they' : 'the only one'} may be away. What a cut-off primary still takes is lost at a fail-over; with two replicas, ask for one.`
  return [
    setting(why, 'min-replicas-to-write', minReplicas),
    setting('Seconds of silence after which a replica does not count.', 'min-replicas-max-lag', REPLICA_LAG),
  ]
}

function asReplica({ role }: Server): Setting[] {
  return [
    setting('A replica takes no writes: they would exist nowhere else.', 'replica-read-only', 'yes'),
    ...(role === 'cluster'
      ? []
      : [
          setting(
            'A replica that has lost its primary does not answer: an ended session would look alive.',
            'replica-serve-stale-data',
            'no',
          ),
        ]),
    setting('A replica that begins anew forgets the old data aside.', 'replica-lazy-flush', 'yes'),
  ]
}

function cluster({ nodeTimeout, announce, tls }: Server): Setting[] {
  if (nodeTimeout === undefined) return []
  return [
    setting('The keys are spread over several primaries.', 'cluster-enabled', 'yes'),
    setting('Kept by Redis itself, beside the data.', 'cluster-config-file', 'nodes.conf'),
    setting(
      'A node that is silent for so many milliseconds has failed; its replica takes over a second or two later.',
      'cluster-node-timeout',
      nodeTimeout,
    ),
    setting('One shard that is down does not stop the visitors of the others.', 'cluster-require-full-coverage', 'no'),
    setting(
      'Nor does a node that has lost the others answer reads: an ended session would look alive.',
      'cluster-allow-reads-when-down',
      'no',
    ),
    setting(
      'A replica that was cut off for more than ten times that does not take over: its sessions are too old.',
      'cluster-replica-validity-factor',
      10,
    ),
    ...(tls === undefined ? [] : [setting('The nodes talk to each other with TLS too.', 'tls-cluster', 'yes')]),
    ...(announce === undefined
      ? []
      : [
          setting('Where others reach this node.', 'cluster-announce-ip', announce.host),
          setting(
            'And its port.',
            tls === undefined ? 'cluster-announce-port' : 'cluster-announce-tls-port',
            announce.port,
          ),
        ]),
  ]
}

function users({ role, passwords, user, prefix }: Server): Setting[] {
  return [
    nobody(),
    holdfast(user, passwords.holdfast, prefix, role === 'cluster'),
    ...operator(passwords.operator),
    ...replication(passwords.replication),
    ...watcher(passwords.sentinel),
  ]
}

function pace(): Setting[] {
  return [
    setting('Large values that expire are freed aside, not between two visitors.', 'lazyfree-lazy-expire', 'yes'),
    setting('Those that are overwritten too.', 'lazyfree-lazy-server-del', 'yes'),
    setting(
      'Redis notes what took longer than so many milliseconds: LATENCY DOCTOR explains it.',
      'latency-monitor-threshold',
      100,
    ),
    setting('And commands that took longer than so many microseconds: SLOWLOG GET.', 'slowlog-log-slower-than', 10_000),
  ]
}
