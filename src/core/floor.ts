/**
 * The version floor: the highest version of its session that a browser has been shown. It stands in the companion cookie in
 * the place of the visitor's id, once there is a session, and opens nothing: a value that is missing, stale, foreign or forged
 * costs at most a read. By it a read can tell that the store has lost what it had acknowledged.
 *
 * | bytes | what |
 * |---|---|
 * | 1 | format: 2; an id has 1, and another length |
 * | 4 | fingerprint of the secret |
 * | 18 | selector |
 * | 4 | version: the counter of the record |
 * | 2 | epoch, for the handle |
 * | 4 | until when, in seconds, the store has to have a record or a marker |
 * | 14 | MAC with a key of its own |
 */
import { mac } from './hmac.ts'
import { FINGERPRINT_LENGTH, sameBytes, type Keyring } from './keyring.ts'
import type { LiveRecord } from './live-record.ts'
import { SELECTOR_BYTES } from './session-id.ts'
import type { Selector } from './store.ts'

/** What a browser has been shown of a visit. */
export interface Floor {
  readonly selector: Selector
  readonly version: number
  readonly epoch: number
  /**
   * Until then, by the store's clock, the store has a record or a marker of the visit, because a write that was
   * acknowledged lasts so long; 0: not known.
   */
  readonly stands: number
}

export type OpenedFloor = { readonly floor: Floor } | { readonly why: 'malformed' | 'forged' | 'unknown-key' }

const FORMAT = 2
const MAC_BYTES = 14
const SELECTOR_AT = 1 + FINGERPRINT_LENGTH
const VERSION_AT = SELECTOR_AT + SELECTOR_BYTES
const EPOCH_AT = VERSION_AT + 4
const STANDS_AT = EPOCH_AT + 2
const BODY_BYTES = STANDS_AT + 4
const VALUE = /^[A-Za-z0-9_-]{63}$/

/** Whether the value has the form of a floor, and not that of an id. */
export function isFloor(value: string): boolean {
  return VALUE.test(value)
}

/** Writes the value of a cookie. */
export function sealFloor(keyring: Keyring, { selector, version, epoch, stands }: Floor): string {
  const body = Buffer.alloc(BODY_BYTES)
  body[0] = FORMAT
  body.set(keyring.active.fingerprint, 1)
  body.set(Buffer.from(selector, 'base64url'), SELECTOR_AT)
  body.writeUInt32BE(version % 2 ** 32, VERSION_AT)
  body.writeUInt16BE(epoch % 2 ** 16, EPOCH_AT)
  body.writeUInt32BE(Math.max(0, Math.floor(stands / 1000)), STANDS_AT)
  return Buffer.concat([body, mac(keyring.active.keys.floor, fieldsOf(body), MAC_BYTES)]).toString('base64url')
}

/** Reads the value of a cookie. */
export function openFloor(keyring: Keyring, value: string): OpenedFloor {
  if (!isFloor(value)) return { why: 'malformed' }
  const bytes = Buffer.from(value, 'base64url')
  const body = bytes.subarray(0, BODY_BYTES)
  if (body[0] !== FORMAT) return { why: 'malformed' }
  const key = keyring.find(body.subarray(1, SELECTOR_AT))
  if (key === undefined) return { why: 'unknown-key' }
  if (!sameBytes(mac(key.keys.floor, fieldsOf(body), MAC_BYTES), bytes.subarray(BODY_BYTES))) return { why: 'forged' }
  return {
    floor: {
      selector: body.toString('base64url', SELECTOR_AT, VERSION_AT) as Selector,
      version: body.readUInt32BE(VERSION_AT),
      epoch: body.readUInt16BE(EPOCH_AT),
      stands: body.readUInt32BE(STANDS_AT) * 1000,
    },
  }
}

function fieldsOf(body: Buffer): Buffer[] {
  const starts = [0, 1, SELECTOR_AT, VERSION_AT, EPOCH_AT, STANDS_AT, BODY_BYTES]
  return starts.slice(1).map((end, at) => body.subarray(starts[at], end))
}

/** The highest of the floors of a visit. */
export function floorOf(floors: readonly Floor[], selector: Selector): Floor | undefined {
  let highest: Floor | undefined
  for (const floor of floors)
    if (floor.selector === selector && (highest === undefined || floor.version > highest.version)) highest = floor
  return highest
}

/** What one request has seen of the visit that it holds, beside what its browser had seen before. */
export class Shown {
  readonly #brought: readonly Floor[]
  #seen: Floor | undefined

  constructor(brought: readonly Floor[]) {
    this.#brought = brought
  }

  /** The store has it, which counts also where it has lost a later one. Answers the version that was shown before then. */
  read(selector: Selector, { counter: version, epoch }: LiveRecord): number | undefined {
    const seen = this.#seenOf(selector)
    const before = Math.max(seen?.version ?? 0, this.#broughtOf(selector)?.version ?? 0)
    this.#seen = { selector, version, epoch, stands: version < before ? 0 : (seen?.stands ?? 0) }
    return version < before ? before : undefined
  }

  /** The store has taken it, and keeps it until then, as in a floor. */
  wrote(selector: Selector, { counter: version, epoch }: LiveRecord, stands: number): void {
    if (version >= (this.#seenOf(selector)?.version ?? 0)) this.#seen = { selector, version, epoch, stands }
  }

  /** Whether the browser is to be told of another version than it had seen: of a later one, or after a loss of an earlier. */
  isDue(selector: Selector): boolean {
    const seen = this.#seenOf(selector)
    return seen !== undefined && seen.version !== this.#broughtOf(selector)?.version
  }

  /** The floor that the answer brings. What an earlier write has promised holds on, unless it was lost. */
  floor(selector: Selector): Floor | undefined {
    const [seen, brought] = [this.#seenOf(selector), this.#broughtOf(selector)]
    if (seen === undefined || brought === undefined || seen.version < brought.version) return seen
    return { ...seen, stands: Math.max(seen.stands, brought.stands) }
  }

  #seenOf(selector: Selector): Floor | undefined {
    return this.#seen?.selector === selector ? this.#seen : undefined
  }

  #broughtOf(selector: Selector): Floor | undefined {
    return this.#brought.length === 0 ? undefined : floorOf(this.#brought, selector)
  }
}
