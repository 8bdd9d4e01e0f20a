/** Servers of one test on free ports. */
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

import type { ContractServer } from 'holdfast/testing'

/** Listens on 127.0.0.1; closing cuts what is still open. */
export async function listen(server: Server): Promise<ContractServer> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
