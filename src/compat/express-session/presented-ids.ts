/** The ids that a request brought and that we signed. */
import { decoded, rawValuesOf } from '../cookie-values.ts'
import { deprecate } from './deprecation.ts'
import type { SessionRequest } from './request.ts'
import { verifiedId, type Secret, type Verified } from './signature.ts'

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
  for (const value of rawValuesOf(request.headers.cookie, name)) {
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
