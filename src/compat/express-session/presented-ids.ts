/** The ids that a request brought and that we signed. */
import { deprecate } from './deprecation.ts'
import type { SessionRequest } from './request.ts'
import { verifiedId, type Secret } from './signature.ts'

/** At most so many values of one name are looked at: a browser has few paths and domains that send us the same name. */
const VALUES_MOST = 4

/**
 * In the order in which they came, which is the browser's: the most exact path first. Where the header has none, what
 * the package cookie-parser made of it counts, too; that is deprecated.
 */
export function presentedIds(request: SessionRequest, name: string, secrets: readonly Secret[]): readonly string[] {
  const ids = valuesOf(request.headers.cookie, name).flatMap((value) => verifiedId(value, secrets) ?? [])
  if (ids.length > 0) return ids
  const id = parsedId(request, name, secrets)
  if (id === undefined) return ids
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

function valuesOf(header: string | undefined, name: string): string[] {
  if (header === undefined || !header.includes(name)) return []
  const values: string[] = []
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue
    values.push(decoded(pair.slice(equals + 1).trim()))
    if (values.length === VALUES_MOST) break
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
