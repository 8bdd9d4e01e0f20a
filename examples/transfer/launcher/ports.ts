/** Ports of this machine: which are free, and whether something answers on one. */
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** The addresses that `localhost` can mean here. */
export function loopbackHosts(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return addresses.some(({ address }) => address === '::1') ? ['127.0.0.1', '::1'] : ['127.0.0.1']
}

/** The first free port of `wanted`, else one that the system picks. */
export async function freePort(wanted: readonly number[]): Promise<number> {
  for (const port of wanted) {
    if (port !== 0 && (await isFree(port))) return port
  }
  return pickedBySystem()
}

/** Whether nothing listens there, whichever address of this machine it would be on. */
async function isFree(port: number): Promise<boolean> {
  for (const host of loopbackHosts()) {
    if ((await listen(port, host)) === undefined) return false
  }
  return true
}

async function pickedBySystem(): Promise<number> {
  const port = await listen(0, '127.0.0.1')
  if (port === undefined) throw new Error('This machine has no free port.')
  return port
}

/** Listens for a moment. Answers the port, `undefined` where it is taken. */
function listen(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host, exclusive: true }, () => {
      const { port: got } = server.address() as net.AddressInfo
      server.close(() => resolve(got))
    })
  })
}

/** Resolves once something accepts connections on the port; rejects after ten seconds. */
export async function answersOn(port: number): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await accepts(port))) {
    if (performance.now() > deadline) throw new Error(`Nothing answers on port ${port}.`)
    await pause(20)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
