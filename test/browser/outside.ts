/** Sites under names of their own, as they are off this machine: no loopback name, so that browsers trust HTTPS alone. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Duplex } from 'node:stream'

import { makeCertificates } from '../support/certificates.ts'

export type Scheme = 'https' | 'http'

export interface Site {
  readonly server: Server
  readonly origin: string
  close(): Promise<void>
}

/** Where the shop is. */
export const SHOP = 'app.shop.test'

/** Under which names somebody else's pages are, as a browser sees them from the shop. */
export const OTHERS = {
  'another site': 'evil.test',
  'a sibling subdomain': 'evil.shop.test',
  'another port of the same host': SHOP,
} as const

let keys: { readonly key: Buffer; readonly cert: Buffer } | undefined

/** Serves a host on a port of its own. */
export async function openSite(scheme: Scheme, host: string, listener: RequestListener): Promise<Site> {
  const server = scheme === 'http' ? createServer(listener) : createSecureServer((keys ??= makeKeys()), listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<Duplex>()
  server.on('connection', (socket: Duplex) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  return {
    server,
    origin: `${scheme}://${host}:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

function makeKeys(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-outside-'))
  try {
    const { key, cert } = makeCertificates(folder, SHOP, ...Object.values(OTHERS))
    return { key: readFileSync(key), cert: readFileSync(cert) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
