/** What Holdfast needs to know of a request, whatever framework it came through. */
export interface RequestFacts {
  /** In capitals, as it came. */
  readonly method: string
  /** The path that the router sees, without query. */
  readonly path: string
  /** Lower-case names; repeated headers as `node:http` gives them, joined by a comma or as a list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Whether this connection itself is TLS. */
  readonly secure: boolean
  /** Whether the request asks for another protocol, a WebSocket for example. */
  readonly upgrade?: boolean
}

/** One header as text; `undefined` where it is absent. */
export function headerOf(facts: RequestFacts, name: string): string | undefined {
  const value = facts.headers[name]
  return typeof value === 'string' || value === undefined ? value : value.join(', ')
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Whether the method only reads (RFC 9110, section 9.2.1). An unknown method does not. */
export function isSafe(method: string): boolean {
  return SAFE.has(method)
}
