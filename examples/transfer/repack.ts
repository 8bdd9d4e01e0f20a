/** Makes a picture smaller without changing a pixel: browsers pack theirs for speed, and by filters that suit photographs. */
import { crc32, deflateSync, inflateSync } from 'node:zlib'

const SIGNATURE_LENGTH = 8
/** Length, type and checksum of a chunk, beside its data. */
const FRAME = 12

/** A PNG of eight bits and three colours, not interlaced, as screenshots are; its rows get the filter 0 (PNG, section 9). */
export function repack(png: Buffer): Buffer {
  const header = png.subarray(SIGNATURE_LENGTH, SIGNATURE_LENGTH + FRAME + 13)
  const packed: Buffer[] = []
  for (let at = SIGNATURE_LENGTH; at < png.length; at += png.readUInt32BE(at) + FRAME)
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      packed.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  const rows = inflateSync(Buffer.concat(packed))
  unfilter(rows, 3 * header.readUInt32BE(8))
  const data = deflateSync(rows, { level: 9, memLevel: 9 })
  return Buffer.concat([png.subarray(0, SIGNATURE_LENGTH), header, chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

/** In place. */
function unfilter(rows: Buffer, length: number): void {
  const byte = (at: number): number => rows[at] ?? 0
  for (let row = 0; row < rows.length; row += length + 1) {
    const filter = byte(row)
    for (let x = 1; x <= length; x++) {
      const at = row + x
      const left = x > 3 ? byte(at - 3) : 0
      const above = row > 0 ? byte(at - length - 1) : 0
      const corner = x > 3 && row > 0 ? byte(at - length - 4) : 0
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter] ?? 0
      rows[at] = byte(at) + guess
    }
    rows[row] = 0
  }
}

/** Whichever neighbour is nearest to the plane through all three. */
function paeth(left: number, above: number, corner: number): number {
  const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)]
  if (a <= b && a <= c) return left
  return b <= c ? above : corner
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  checksum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, checksum])
}
