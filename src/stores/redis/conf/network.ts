/** How a server is reached: the part that all roles share. */
import type { Node } from './resolve.ts'
import { type Section, setting, type Setting } from './text.ts'

/** Seconds. Also what a firewall forgets an idle connection after is longer. */
const KEEPALIVE = 60

export function network(node: Node): Section {
  return {
    title: 'Network',
    settings: [
      setting('The addresses to listen on: none that strangers reach.', 'bind', ...node.bind),
      ...(node.tls === undefined
        ? [
            setting(
              'Without TLS: passwords and sessions can be read by whoever can listen on the line.',
              'port',
              node.port,
            ),
          ]
        : encrypted(node.port, node.tls)),
      setting('Should the users below ever be lost, strangers are refused.', 'protected-mode', 'yes'),
      setting(
        'The kernel asks after silent peers, so that those that are gone are noticed.',
        'tcp-keepalive',
        KEEPALIVE,
      ),
      setting(
        'But nobody is cut off for being idle: at night the next visitor would find no connection.',
        'timeout',
        0,
      ),
    ],
  }
}

function encrypted(port: number, { cert, key, ca, clientCertificates }: NonNullable<Node['tls']>): Setting[] {
  return [
    setting('Nothing without TLS.', 'port', 0),
    setting('With it.', 'tls-port', port),
    setting('What this server shows.', 'tls-cert-file', cert),
    setting('Its key, which only the user of Redis may read.', 'tls-key-file', key),
    setting('Who signed what the others show.', 'tls-ca-cert-file', ca),
    setting(
      clientCertificates
        ? 'Clients show a certificate too, beside their password.'
        : 'Clients show their password only.',
      'tls-auth-clients',
      clientCertificates ? 'yes' : 'no',
    ),
    setting('No version that is known to be weak.', 'tls-protocols', 'TLSv1.2 TLSv1.3'),
    setting('Between the servers too.', 'tls-replication', 'yes'),
  ]
}
