/** What the load sends. */
import type { Headers } from './ask.ts'

export interface Request {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** The host among them. */
  readonly headers: Headers
}

/** As it goes over the wire; requests have no bodies. */
export function rawOf({ method, path, headers }: Request): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  // As browsers send it with a form that has no fields.
  if (method === 'POST') lines.push('content-length: 0')
  return [`${method} ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n')
}
