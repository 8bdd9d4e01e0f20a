/** A connection that is cut at the worst moment: when the server's answer sets out, which is after its commit. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface CuttingProxy {
  readonly origin: string
  /** What the server sent and nobody received. */
  lost(): string
  close(): Promise<void>
}

/** Forwards to the server, and cuts both sides at the first byte of an answer. */
export async function startCuttingProxy(server: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(server)
  const sockets = new Set<Socket>()
  const lost: Buffer[] = []
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      // A reset is what this proxy is for.
      socket.on('error', () => socket.destroy())
      socket.once('close', () => sockets.delete(socket))
    }
    client.pipe(upstream)
    upstream.once('data', (bytes) => {
      lost.push(bytes)
      client.resetAndDestroy()
      upstream.destroy()
    })
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    lost: () => Buffer.concat(lost).toString('latin1'),
    close: () =>
      new Promise((resolve) => {
        proxy.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
