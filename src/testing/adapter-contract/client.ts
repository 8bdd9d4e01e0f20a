/** A client that sees what a socket sees: every byte, and when the first one came. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'

export interface Asked {
  readonly method?: string | undefined
  readonly path?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
  /** Called with the first byte of the final answer (1xx excepted). */
  readonly onFirstByte?: (() => void) | undefined
  /** Milliseconds after which the client cuts the connection. */
  readonly cutAfter?: number | undefined
}

export interface Reply {
  readonly status: number
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly body: string
  /** Everything that came over the socket. */
  readonly raw: string
}

/** Sends one request on a connection of its own, and reads until the server closes it. Rejects when it is cut before a whole head came. */
export async function ask(port: number, asked: Asked = {}): Promise<Reply> {
  const raw = await exchange(port, [textOf(asked, 'close')], asked)
  const [reply] = parse(raw, asked.method === 'HEAD')
  assert.ok(reply !== undefined, `no answer came, but ${JSON.stringify(raw)}`)
  return reply
}

/** Sends requests one after the other on one connection without waiting for answers. */
export async function askAll(port: number, all: readonly Asked[]): Promise<Reply[]> {
  const texts = all.map((asked, at) => textOf(asked, at === all.length - 1 ? 'close' : 'keep-alive'))
  return parse(await exchange(port, [texts.join('')]), false)
}

/** The cookies that an answer sets, as a browser sends them back. */
export function cookiesOf(reply: Reply): string {
  return (reply.headers.get('set-cookie') ?? []).map((line) => line.split(';')[0] ?? '').join('; ')
}

function textOf({ method = 'GET', path = '/', headers = {}, body = '' }: Asked, connection: string): string {
  const all: Record<string, string> = { host: 'localhost', connection, ...headers }
  if (body !== '') all['content-length'] = String(Buffer.byteLength(body))
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

function exchange(port: number, texts: readonly string[], { onFirstByte, cutAfter }: Asked = {}): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => {
      for (const text of texts) socket.write(text)
      if (cutAfter !== undefined) setTimeout(() => socket.resetAndDestroy(), cutAfter)
    })
    let seen = false
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      if (seen || isInformational(Buffer.concat(chunks).toString('latin1'))) return
      seen = true
      onFirstByte?.()
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')))
  })
}

function isInformational(text: string): boolean {
  return 'HTTP/1.1 1'.startsWith(text.slice(0, 10)) && text.replace(INFORMATIONAL, '') === ''
}
const INFORMATIONAL = /^(?:HTTP\/1\.1 1\d\d [^]*?\r\n\r\n)+/

function parse(raw: string, bodiless: boolean): Reply[] {
  const replies: Reply[] = []
  let rest = raw.replace(INFORMATIONAL, '')
  while (rest.includes('\r\n\r\n')) {
    const at = rest.indexOf('\r\n\r\n')
    const [line = '', ...lines] = rest.slice(0, at).split('\r\n')
    const headers = headersOf(lines)
    const { body, after } = bodyOf(rest.slice(at + 4), headers, bodiless || /^HTTP\/1\.1 (?:204|304)/.test(line))
    replies.push({ status: Number(line.slice(9, 12)), headers, body, raw })
    rest = after
  }
  return replies
}

function headersOf(lines: readonly string[]): Map<string, string[]> {
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()])
  }
  return headers
}

function bodyOf(text: string, headers: Map<string, string[]>, none: boolean): { body: string; after: string } {
  if (none) return { body: '', after: text }
  if (headers.get('transfer-encoding')?.[0] === 'chunked') return unchunk(text)
  const length = headers.get('content-length')?.[0]
  if (length === undefined) return { body: text, after: '' }
  const bytes = Buffer.from(text)
  return { body: bytes.subarray(0, Number(length)).toString(), after: bytes.subarray(Number(length)).toString() }
}

function unchunk(text: string): { body: string; after: string } {
  const parts: Buffer[] = []
  let rest = Buffer.from(text)
  for (;;) {
    const end = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.subarray(0, end).toString(), 16)
    if (end < 0 || !(size > 0))
      return { body: Buffer.concat(parts).toString(), after: rest.subarray(end + 4).toString() }
    parts.push(rest.subarray(end + 2, end + 2 + size))
    rest = rest.subarray(end + 2 + size + 2)
  }
}
