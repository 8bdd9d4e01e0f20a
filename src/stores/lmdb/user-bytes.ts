/** A user's index as bytes: `notBefore` and the latest time (8 bytes each), then time (8), length (2) and selector of every visit. */
import type { Selector } from '../../core/store.ts'
import { UserIndex } from '../user-index.ts'

const FIXED = 16
const PER_ENTRY = 10

export function encodeUser(index: UserIndex): Uint8Array {
  const names = Array.from(index.entries.keys(), (selector) => Buffer.from(selector))
  const bytes = Buffer.alloc(names.reduce((size, name) => size + PER_ENTRY + name.length, FIXED))
  bytes.writeDoubleBE(index.notBefore, 0)
  bytes.writeDoubleBE(index.latest, 8)
  let at = FIXED
  for (const [number, since] of [...index.entries.values()].entries()) {
    const name = names[number] ?? Buffer.alloc(0)
    at = bytes.writeDoubleBE(since, at)
    at = bytes.writeUInt16BE(name.length, at)
    at += name.copy(bytes, at)
  }
  return bytes
}

export function decodeUser(payload: Uint8Array, expires: number): UserIndex {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length)
  const entries: [Selector, number][] = []
  for (let at = FIXED; at < bytes.length;) {
    const since = bytes.readDoubleBE(at)
    const end = at + PER_ENTRY + bytes.readUInt16BE(at + 8)
    entries.push([bytes.toString('utf8', at + PER_ENTRY, end) as Selector, since])
    at = end
  }
  return new UserIndex(entries, bytes.readDoubleBE(0), bytes.readDoubleBE(8), expires)
}
