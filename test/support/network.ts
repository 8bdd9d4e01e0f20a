/**
 * The lines between the servers of one topology, and from the application to them, so that each can be broken alone.
 *
 * Every server is known to all by the port of a gate in this process. Servers connect from addresses of their own
 * (127.0.1.1, 127.0.1.2, …: Linux has the whole of 127.0.0.0/8 on its loopback interface), so the gate knows who comes,
 * and has a wire for each; whoever comes from elsewhere is the application. What a test asks by `cli` goes past the gates.
 *
 * ```ts
 * const { network, nodes, sentinels, ...redis } = await startSentinels({ links: true })
 * const primary = await redis.primary()
 * const replicas = nodes.filter((node) => node !== primary)
 * network.split(['application'], [primary])               // the others still reach it
 * network.split([primary], replicas)                      // the application and the Sentinels still reach it
 * network.split([primary], [...replicas, ...sentinels])   // only the application does: there will be two primaries
 * network.wire('application', primary).delay(20)          // see link.ts
 * network.heal()
 * ```
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'

import { TcpWire, type Way, type Wire } from './link.ts'
import { type RedisServer, type RedisServerOptions, startRedisServer } from './redis-server.ts'
import { type Address, HOST } from './server-config.ts'

/** A server of a topology. */
export interface Member extends RedisServer {
  /** Where the others and the application find it. */
  readonly host: string
  /** The port by which the others and the application know it: its own, or its gate's. */
  readonly announced: number
}

/** One end of a line. */
export type Party = 'application' | Member

export interface Network {
  /** All connections that `from` makes to `to`. In a cluster those of the bus too. */
  wire(from: Party, to: Member): Wire
  /** Breaks every line between the two sides, whoever connects. Each side among itself still talks. Default: `freeze`. */
  split(side: readonly Party[], other: readonly Party[], how?: 'freeze' | 'cut'): void
  /** Restores every wire. */
  heal(): void
}

/** Where the servers of a topology stand. */
export interface Surroundings extends Network {
  /** Starts a server with what its place makes of its options. */
  settle(ports: readonly number[], optionsAt: (place: Place) => RedisServerOptions): Promise<Member>
  /** Ends the servers, and what was between them. */
  stop(): Promise<void>
}

/** What a server is told about where it stands. */
export interface Place {
  readonly host: string
  /** How the others reach each of its ports. */
  readonly announced: readonly number[]
  /** For its command line. */
  readonly args: readonly string[]
  /** What commands begin with that are to run there. */
  readonly inside?: readonly string[]
}

/** What a server has to announce, because it is not found at its own port of the loopback interface. */
export function announceOf({ host, announced: [port = 0] }: Place, own: number): Address | undefined {
  return host === HOST && port === own ? undefined : { host, port }
}

/** The servers of one topology, and the gates before them. */
export class Neighbourhood implements Surroundings {
  readonly #gated: boolean
  readonly #standing = new Map<Party, { readonly address: string; readonly gates: readonly Gate[] }>([
    ['application', { address: HOST, gates: [] }],
  ])
  readonly #members: Member[] = []
  readonly #gates: Gate[] = []
  #placed = 0

  constructor(gated: boolean) {
    this.#gated = gated
  }

  /** Puts gates before its ports, if there are to be any. */
  async settle(ports: readonly number[], optionsAt: (place: Place) => RedisServerOptions): Promise<Member> {
    const address = `127.0.1.${++this.#placed}`
    const gates = this.#gated ? await Promise.all(ports.map((port) => this.#gate(port))) : []
    const place = {
      host: HOST,
      announced: ports.map((port, index) => gates[index]?.port ?? port),
      args: this.#gated ? ['--bind-source-addr', address] : [],
    }
    const server = await startRedisServer(optionsAt(place))
    const member = Object.assign(server, { host: HOST, announced: place.announced[0] ?? server.port })
    this.#members.push(member)
    this.#standing.set(member, { address, gates })
    return member
  }

  wire(from: Party, to: Member): Wire {
    const { gates } = this.#whereIs(to)
    const { address } = this.#whereIs(from)
    if (gates.length === 0) throw new Error('there is no wire to break: start the topology with links: true')
    return allOf(gates.map((gate) => gate.from(address)))
  }

  split(side: readonly Party[], other: readonly Party[], how: 'freeze' | 'cut' = 'freeze'): void {
    for (const one of side)
      for (const another of other) {
        if (another !== 'application') this.wire(one, another)[how]()
        if (one !== 'application') this.wire(another, one)[how]()
      }
  }

  heal(): void {
    for (const gate of this.#gates) gate.restore()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()))
    await Promise.all(this.#gates.splice(0).map((gate) => gate.stop()))
  }

  async #gate(to: number): Promise<Gate> {
    const gate = new Gate(to)
    this.#gates.push(gate)
    await gate.open()
    return gate
  }

  #whereIs(party: Party): { readonly address: string; readonly gates: readonly Gate[] } {
    const found = this.#standing.get(party)
    if (found === undefined) throw new Error('this server is not of this topology')
    return found
  }
}

/** Starts so many at once. Settles when all have ended in one way or the other, and rejects if one has failed. */
export async function startAll<Started>(count: number, start: () => Promise<Started>): Promise<Started[]> {
  const starting = Array.from({ length: count }, start)
  await Promise.allSettled(starting)
  return Promise.all(starting)
}

/** A port before a server's, with a wire for each address that connects. */
class Gate {
  port = 0
  readonly #to: number
  readonly #wires = new Map<string, TcpWire>()
  readonly #server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (near) =>
    this.from(near.remoteAddress ?? HOST).join(near),
  )

  constructor(to: number) {
    this.#to = to
  }

  async open(): Promise<void> {
    this.#server.listen(0, HOST)
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  from(address: string): TcpWire {
    const wire = this.#wires.get(address) ?? new TcpWire(this.#to)
    this.#wires.set(address, wire)
    return wire
  }

  restore(): void {
    for (const wire of this.#wires.values()) wire.restore()
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const wire of this.#wires.values()) wire.end()
    await closed
  }
}

/** Several wires as one. */
function allOf(wires: readonly Wire[]): Wire {
  const each = (act: (wire: Wire) => void): void => wires.forEach(act)
  return {
    get connections() {
      return wires.reduce((sum, { connections }) => sum + connections, 0)
    },
    get lost() {
      return wires.flatMap(({ lost }) => lost)
    },
    cut: () => each((wire) => wire.cut()),
    freeze: (bytes) => each((wire) => wire.freeze(bytes)),
    drop: (way: Way) => each((wire) => wire.drop(way)),
    loseAnswers: (after) => each((wire) => wire.loseAnswers(after)),
    delay: (ms) => each((wire) => wire.delay(ms)),
    lose: (share, chance) => each((wire) => wire.lose(share, chance)),
    restore: () => each((wire) => wire.restore()),
  }
}
