/** The wire between a server and its store, for breaking it: a TCP link whose faults a test sets. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/**
 * `'whole'`: everything passes. `'lose-answers'`: what the store is asked passes; when it answers, both ends are cut.
 * `'silent'`: nothing passes in either direction, nothing is cut. `'refused'`: new and old connections are cut at once.
 */
export type LinkState = 'whole' | 'lose-answers' | 'silent' | 'refused'

export interface Link {
  readonly port: number
  state: LinkState
  /** How often a connection was cut with an answer on its way. */
  readonly lost: number
  close(): Promise<void>
}

/** A link to a port of the loopback interface. */
export async function linkTo(port: number): Promise<Link> {
  const link = new TcpLink(port)
  await link.listen()
  return link
}

class TcpLink implements Link {
  lost = 0
  port = 0
  #state: LinkState = 'whole'
  readonly #target: number
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  readonly #server = createServer((client) => this.#join(client))

  constructor(target: number) {
    this.#target = target
  }

  get state(): LinkState {
    return this.#state
  }

  set state(state: LinkState) {
    this.#state = state
    for (const [client, store] of this.#pairs) {
      if (state === 'refused') cut(client, store)
      else if (state === 'silent') [client, store].forEach((socket) => socket.pause())
      else [client, store].forEach((socket) => socket.resume())
    }
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const [client, store] of this.#pairs) cut(client, store)
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(client: Socket): void {
    if (this.#state === 'refused') return void client.destroy()
    const store = connect(this.#target, '127.0.0.1')
    const pair = [client, store] as const
    this.#pairs.add(pair)
    for (const socket of pair) {
      // A broken connection is what this is for; the other end hears of it.
      socket.on('error', () => cut(client, store))
      socket.once('close', () => {
        cut(client, store)
        this.#pairs.delete(pair)
      })
    }
    client.on('data', (bytes) => store.write(bytes))
    store.on('data', (bytes) => {
      if (this.#state !== 'lose-answers') return void client.write(bytes)
      this.lost++
      cut(client, store)
    })
    if (this.#state === 'silent') pair.forEach((socket) => socket.pause())
  }
}

function cut(client: Socket, store: Socket): void {
  client.destroy()
  store.destroy()
}
