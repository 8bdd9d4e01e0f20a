/** The hook of `apart.ts`: what is of the package is taken from where its modules are apart. */
import type { ResolveHook } from 'node:module'

export const resolve: ResolveHook = async (specifier, context, next) => {
  const resolved = await next(specifier, context)
  if (!/^holdfast(\/|$)/.test(specifier)) return resolved
  return { ...resolved, url: resolved.url.replace('/dist/', '/build/src/') }
}
