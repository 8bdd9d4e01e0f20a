/** Takes a hand in the head of a response just before it is written, whoever writes it and however. */
import type { OutgoingHttpHeader, ServerResponse } from 'node:http'

/**
 * Calls `listener` once, before the head is written, when all of its headers are set: those that `writeHead` is given,
 * too. Of several listeners the last one to come is called first.
 */
export function beforeHead(response: ServerResponse, listener: () => void): void {
  const writeHead: (...values: never[]) => ServerResponse = response.writeHead
  let called = false
  response.writeHead = function (this: ServerResponse, ...values: unknown[]): ServerResponse {
    if (called) return writeHead.apply(this, values as never[])
    const [status, second, third] = values
    const reason = typeof second === 'string' ? [second] : []
    if (typeof status === 'number') this.statusCode = status
    // Throws for a header that is none. Then there is no head yet: that of an error page will come.
    setHeaders(this, third ?? (reason.length > 0 ? undefined : second))
    called = true
    listener()
    return writeHead.apply(this, [this.statusCode, ...reason] as never[])
  }
}

/** Headers as `writeHead` takes them: by name; or names and values in turn, or in pairs, where a name may come again. */
function setHeaders(response: ServerResponse, headers: unknown): void {
  if (typeof headers !== 'object' || headers === null) return
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (name !== '') response.setHeader(name, value as string)
    return
  }
  const pairs = pairsOf(headers)
  for (const [name] of pairs) response.removeHeader(name)
  for (const [name, value] of pairs) response.appendHeader(name, value as string)
}

function pairsOf(headers: readonly unknown[]): readonly [name: string, value: OutgoingHttpHeader][] {
  if (Array.isArray(headers[0])) return headers as [string, OutgoingHttpHeader][]
  const pairs: [string, OutgoingHttpHeader][] = []
  for (let at = 0; at + 1 < headers.length; at += 2)
    pairs.push([String(headers[at]), headers[at + 1] as OutgoingHttpHeader])
  return pairs
}

/** Adds a cookie after those that are there. */
export function appendCookie(response: ServerResponse, cookie: string): void {
  const before = response.getHeader('set-cookie')
  response.setHeader('Set-Cookie', [before ?? [], cookie].flat().map(String))
}
