/** What Redis answers, cut into whole answers (RESP2), so that each can be held back by itself. */

const CR = 13
const LINE_END = 2

/** The bytes of a push to a subscriber begin so. */
const NEWS = Buffer.from('*3\r\n$7\r\nmessage\r\n')

/** Whether an answer is news of a change, and not the answer to a command. */
export function isNews(frame: Buffer): boolean {
  return frame.subarray(0, NEWS.length).equals(NEWS)
}

/** Collects bytes, and hands out what is whole. */
export class Frames {
  #rest: Buffer = Buffer.alloc(0)

  take(bytes: Buffer): readonly Buffer[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const whole: Buffer[] = []
    for (;;) {
      const end = endOf(this.#rest, 0)
      if (end === undefined) return whole
      whole.push(this.#rest.subarray(0, end))
      this.#rest = this.#rest.subarray(end)
    }
  }
}

/** Where the answer that begins at `at` ends; `undefined`: not all of it is here. */
function endOf(bytes: Buffer, at: number): number | undefined {
  const lineEnd = bytes.indexOf(CR, at)
  if (lineEnd < 0 || lineEnd + LINE_END > bytes.length) return undefined
  const next = lineEnd + LINE_END
  const kind = String.fromCodePoint(bytes[at] ?? 0)
  if (kind !== '$' && kind !== '*') return next
  const count = Number(bytes.toString('latin1', at + 1, lineEnd))
  if (count < 0) return next
  if (kind === '*') return endOfAll(bytes, next, count)
  const end = next + count + LINE_END
  return end <= bytes.length ? end : undefined
}

function endOfAll(bytes: Buffer, at: number, count: number): number | undefined {
  let end: number | undefined = at
  for (let left = count; left > 0 && end !== undefined; left--) end = endOf(bytes, end)
  return end
}
