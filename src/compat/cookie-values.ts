/** The values of one cookie in a `Cookie` header. */

/** At most so many values of one name are looked at: a browser has few paths and domains that send us the same name. */
const VALUES_MOST = 4
const NONE: readonly string[] = Object.freeze([])

/** Without quotes, and as they are: whoever wrote them knows whether they are percent-encoded. */
export function rawValuesOf(header: string | undefined, name: string): readonly string[] {
  if (header === undefined || !header.includes(name)) return NONE
  const values: string[] = []
  for (let from = 0; from < header.length && values.length < VALUES_MOST;) {
    const semicolon = header.indexOf(';', from)
    const to = semicolon < 0 ? header.length : semicolon
    const equals = header.indexOf('=', from)
    if (equals >= 0 && equals < to && header.slice(from, equals).trim() === name)
      values.push(unquoted(header.slice(equals + 1, to).trim()))
    from = to + 1
  }
  return values
}

function unquoted(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}

/** The same, decoded. */
export function valuesOf(header: string | undefined, name: string): readonly string[] {
  return rawValuesOf(header, name).map(decoded)
}

/** What percent-encoding stands for. */
export function decoded(value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    // Nobody encoded it like that; as it is, no signature fits it.
    return value
  }
}
