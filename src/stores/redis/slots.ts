/** Slots of a cluster: where a key belongs, and what a node says of who serves which. */
import { type Endpoint, nameOf, type Reply } from './link.ts'

export const SLOTS = 16_384

export const SLOTS_QUESTION: readonly string[] = ['CLUSTER', 'SLOTS']

/** Who serves the slots from the first to the last. */
export interface SlotRange {
  readonly first: number
  readonly last: number
  readonly primary: Endpoint
  readonly replicas: readonly Endpoint[]
}

/** Where a refusal says that a slot is served. */
export interface Redirection {
  readonly slot: number
  readonly to: Endpoint
}

const CRC16: Uint16Array = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc & 0xffff
})

/** The slot of a key: of what stands between the first `{` and the next `}`, if anything does. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  return close > open + 1 ? crcOf(key, open + 1, close) % SLOTS : crcOf(key, 0, key.length) % SLOTS
}

function crcOf(text: string, from: number, to: number): number {
  let crc = 0
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at)
    if (code > 127) return Buffer.from(text.slice(from, to)).reduce(next, 0)
    crc = next(crc, code)
  }
  return crc
}

function next(crc: number, byte: number): number {
  return ((crc << 8) & 0xffff) ^ (CRC16[(crc >> 8) ^ byte] ?? 0)
}

/**
 * The ranges in an answer to `CLUSTER SLOTS`. `asked`: who answered, for a node whose name is not known is reached by the
 * same. Throws where it is no such answer.
 */
export function rangesOf(reply: Reply | undefined, asked: Endpoint): SlotRange[] {
  if (!Array.isArray(reply)) throw new TypeError('the answer to CLUSTER SLOTS is no list')
  return reply.map((range: unknown) => {
    const [first, last, primary, ...replicas] = Array.isArray(range) ? (range as Reply[]) : []
    const [node] = endpointsOf([primary], asked)
    if (typeof first !== 'number' || typeof last !== 'number' || node === undefined)
      throw new TypeError('the answer to CLUSTER SLOTS has a range without a node')
    return { first, last, primary: node, replicas: endpointsOf(replicas, asked) }
  })
}

/** `MOVED slot host:port`, `ASK slot host:port`; without a host it is the one of who answered. */
export function redirectionOf(message: string, asked: Endpoint | undefined): Redirection | undefined {
  const [, slot, host, port] = /^(?:MOVED|ASK) (\d+) (.*):(\d+)$/.exec(message) ?? []
  if (slot === undefined || host === undefined || port === undefined || Number(slot) >= SLOTS) return undefined
  return { slot: Number(slot), to: { host: knownHost(host, asked), port: Number(port) } }
}

/** Names, each once. */
export function distinct(endpoints: Iterable<Endpoint>): Endpoint[] {
  return [...new Map([...endpoints].map((endpoint) => [nameOf(endpoint), endpoint])).values()]
}

function endpointsOf(nodes: readonly (Reply | undefined)[], asked: Endpoint): Endpoint[] {
  return nodes.flatMap((node) => {
    const [host, port] = Array.isArray(node) ? (node as Reply[]) : []
    if (typeof port !== 'number') return []
    return [{ host: knownHost(Buffer.isBuffer(host) ? host.toString() : '', asked), port }]
  })
}

function knownHost(host: string, asked: Endpoint | undefined): string {
  if (host !== '' && host !== '?') return host
  return asked !== undefined && 'host' in asked ? asked.host : ''
}
