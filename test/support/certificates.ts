/** Certificates for tests, made by openssl: an authority of their own, and what it signed for this machine. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Certificates {
  /** Files in PEM. */
  readonly ca: string
  readonly cert: string
  readonly key: string
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly both: string
}

/** Makes them in the folder, for `localhost`, 127.0.0.1 and further names. */
export function makeCertificates(folder: string, ...names: string[]): Certificates {
  mkdirSync(folder, { recursive: true })
  const at = (name: string): string => join(folder, name)
  const [ca, caKey, cert, key, both] = [at('ca.pem'), at('ca.key'), at('cert.pem'), at('key.pem'), at('both.pem')]
  const subjects = ['DNS:localhost', 'IP:127.0.0.1', ...names.map((name) => `DNS:${name}`)].join(',')
  openssl('-x509', '-keyout', caKey, '-out', ca, '-subj', '/CN=the authority of these tests')
  openssl(
    '-x509',
    '-CA',
    ca,
    '-CAkey',
    caKey,
    '-keyout',
    key,
    '-out',
    cert,
    '-subj',
    '/CN=localhost',
    '-addext',
    `subjectAltName=${subjects}`,
    '-addext',
    'basicConstraints=critical,CA:FALSE',
  )
  writeFileSync(both, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'), { mode: 0o600 })
  return { ca, cert, key, both }
}

function openssl(...args: string[]): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', ...key, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
}
