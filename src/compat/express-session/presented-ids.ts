/** The ids that a request brought and that we signed. */
import { deprecate } from './deprecation.ts'
import type { SessionRequest } from './request.ts'
import { verifiedId, type Secret, type Verified } from './signature.ts'

/** At most so many values of one name are looked at: a browser has few paths and domains that send us the same name. */
const VALUES_MOST = 4
const NONE: readonly string[] = Object.freeze([])

/**
 * In the order in which they came, which is the browser's: the most exact path first. Where the header has none, what
 * the package cookie-parser made of it counts, too; that is deprecated.
 */
export function presentedIds(
  request: SessionRequest,
  name: string,
  { secrets, verified }: { readonly secrets: readonly Secret[]; readonly verified: Verified },
): readonly string[] {
  const ids: string[] = []
  for (const value of valuesOf(request.headers.cookie, name)) {
    const id = verified.idOf(value, decoded)
    if (id !== undefined) ids.push(id)
  }
  if (ids.length > 0) return ids
  const id = parsedId(request, name, secrets)
  if (id === undefined) return NONE
  deprecate('cookie should be available in req.headers.cookie')
  return [id]
}

function parsedId(request: SessionRequest, name: string, secrets: readonly Secret[]): string | undefined {
  const { signedCookies, cookies } = request
  const signed = signedCookies?.[name]
  if (typeof signed === 'string' && signed !== '') return signed
  const plain = cookies?.[name]
  return typeof plain === 'string' ? verifiedId(plain, secrets) : undefined
}

/** As they stand in the header. */
function valuesOf(header: string | undefined, name: string): readonly string[] {
  if (header === undefined || !header.includes(name)) return NONE
  const values: string[] = []
  for (let from = 0; from < header.length && values.length < VALUES_MOST;) {
    const semicolon = header.indexOf(';', from)
    const to = semicolon < 0 ? header.length : semicolon
    const equals = header.indexOf('=', from)
    if (equals >= 0 && equals < to && header.slice(from, equals).trim() === name)
      values.push(header.slice(equals + 1, to).trim())
    from = to + 1
  }
  return values
}

function decoded(value: string): string {
  const bare = value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
  if (!bare.includes('%')) return bare
  try {
    return decodeURIComponent(bare)
  } catch {
    // Nobody encoded it like that; as it is, no signature fits it.
    return bare
  }
}
