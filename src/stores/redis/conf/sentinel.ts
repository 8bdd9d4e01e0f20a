/** The configuration of a Sentinel, which watches a primary and puts a replica in its place. */
import { isIP } from 'node:net'

import { asker, nobody, operator, peer, SENTINEL } from './access.ts'
import { network } from './network.ts'
import type { Sentinel } from './resolve.ts'
import { fileText, setting, type Setting } from './text.ts'

export function sentinelConf(sentinel: Sentinel): string {
  return fileText(head(sentinel), [
    network(sentinel),
    { title: 'Files', settings: [setting('Where it works.', 'dir', sentinel.directory)] },
    { title: 'Names', settings: names(sentinel) },
    { title: 'What it watches', settings: watching(sentinel) },
    { title: 'Who may do what', settings: users(sentinel) },
  ])
}

function head({ sentinels, quorum }: Sentinel): string[] {
  return [
    "A Sentinel for Holdfast's sessions. For Redis 7.0 and later, and Valkey.",
    'Start: redis-sentinel with the path of this file. It writes to this file, so its user owns it; and the password in it is clear, so nobody else may read it.',
    '',
    `One of ${sentinels}, each on a machine of its own${sentinels < 3 ? ', though fewer than 3 cannot tell a dead primary from a cut line' : ''}: ${quorum} have to find the primary down, and the majority to agree on who acts.`,
  ]
}

/** Names are looked up only where they are used: an address cannot be misread. */
function names({ primary, announce }: Sentinel): Setting[] {
  const named = [primary.host, announce?.host ?? ''].some((host) => host !== '' && isIP(host) === 0)
  return [
    ...(named
      ? [
          setting('Servers have names here.', 'sentinel', 'resolve-hostnames', 'yes'),
          setting('And are told to clients by them, which certificates need.', 'sentinel', 'announce-hostnames', 'yes'),
        ]
      : []),
    ...(announce === undefined
      ? []
      : [
          setting('Where the other Sentinels reach this one.', 'sentinel', 'announce-ip', announce.host),
          setting('And its port.', 'sentinel', 'announce-port', announce.port),
        ]),
  ]
}

function watching({ primary, quorum, downAfter, failoverTimeout, passwords }: Sentinel): Setting[] {
  const { name } = primary
  return [
    setting(
      'The primary at the start, under the name that clients ask for; its replicas it tells itself. How many Sentinels have to find it down.',
      'sentinel',
      'monitor',
      name,
      primary.host,
      primary.port,
      quorum,
    ),
    setting('As whom this one signs in to it.', 'sentinel', 'auth-user', name, SENTINEL),
    setting('In clear, because it is presented.', 'sentinel', 'auth-pass', name, passwords.sentinel),
    setting(
      'Milliseconds of silence: shorter would take a pause for a death, longer keeps everybody waiting.',
      'sentinel',
      'down-after-milliseconds',
      name,
      downAfter,
    ),
    setting(
      'Milliseconds: a fail-over that is stuck is tried again after twice this.',
      'sentinel',
      'failover-timeout',
      name,
      failoverTimeout,
    ),
    setting(
      'Replicas follow the new primary one after the other, so that all but one keep their data.',
      'sentinel',
      'parallel-syncs',
      name,
      1,
    ),
    setting('Nobody can make it run programs.', 'sentinel', 'deny-scripts-reconfig', 'yes'),
  ]
}

function users({ passwords, user }: Sentinel): Setting[] {
  return [
    nobody(),
    asker(user, passwords.holdfast),
    ...operator(passwords.operator),
    peer(passwords.sentinel),
    setting('As whom this Sentinel speaks to the others.', 'sentinel', 'sentinel-user', SENTINEL),
    setting('In clear, because it is presented.', 'sentinel', 'sentinel-pass', passwords.sentinel),
  ]
}
