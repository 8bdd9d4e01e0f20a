/**
 * The class that the store inherits from: that of express-session, where that package is installed, because it makes
 * sessions of its own kind; else ours.
 */
import { createRequire } from 'node:module'
import { Store } from '../express-session/store.ts'

export const BaseStore: typeof Store = ofOriginal() ?? Store

function ofOriginal(): typeof Store | undefined {
  // Bundled, it has no place of its own to look from.
  const here = import.meta.url as string | undefined
  if (here === undefined || here === '') return undefined
  try {
    return (createRequire(here)('express-session') as { Store: typeof Store }).Store
  } catch (error) {
    if ((error as { code?: unknown }).code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}
