/** Paths that are meant literally: of callbacks, of exemptions, of routes that are checked later. */

/**
 * Whether this can be the path of a request as a router sees it, and of one only: no query, no pattern, nothing that a
 * browser or a proxy would write in another way (`//`, `/./`, `/../`, a backslash, a space).
 */
export function isExactPath(path: unknown): path is string {
  return (
    typeof path === 'string' &&
    /^\/[!$%&'()+,\-./0-9:;=@A-Z_a-z~]*$/.test(path) &&
    !/\/(?:\/|:|\.{1,2}(?:\/|$))/.test(path) &&
    !/%(?![0-9A-Fa-f]{2})|%2[ef]|%5c/i.test(path)
  )
}
