/** The store that an option names. What a store needs is loaded only when it is opened. */
import type { Settings } from '../core/options.ts'
import type { Store } from '../core/store.ts'
import { OptionsError } from '../errors.ts'
import { lmdbStore } from './lmdb.ts'
import { memoryStore } from './memory.ts'
import { redisStore } from './redis/index.ts'
import { SCHEMES } from './redis/url.ts'

const METHODS: readonly (keyof Store)[] = [
  'open',
  'load',
  'create',
  'replace',
  'patch',
  'touch',
  'end',
  'remaining',
  'enroll',
  'withdraw',
  'roll',
  'bar',
  'nextLease',
  'holdLease',
  'epoch',
  'moveEpoch',
  'stats',
  'close',
]

/** Throws `OptionsError` where there is no store in production, or the option is neither a known URL nor a store. */
export function openStore(store: string | Store | undefined, settings: Settings): Store {
  if (store === undefined) return withoutStore(settings)
  if (typeof store === 'string') return byUrl(store, settings)
  const missing = METHODS.find((method) => typeof store[method] !== 'function')
  if (missing === undefined) return store
  throw new OptionsError(
    'store',
    `store has no function ${missing}(), which every store needs. Give a URL, or what redisStore(), lmdbStore() or memoryStore() answers.`,
  )
}

function withoutStore(settings: Settings): Store {
  if (settings.production)
    throw new OptionsError(
      'store',
      "In production a store must be named: store: 'redis://…' for several machines, 'lmdb:/path' for one.",
    )
  settings.log.warn({ store: 'memory' }, 'No store was named: sessions are kept in this process, and nowhere else.')
  return memory(settings)
}

function byUrl(url: string, settings: Settings): Store {
  const scheme = url.slice(0, url.indexOf(':') + 1)
  if (scheme === 'memory:') return memory(settings)
  if (scheme === 'lmdb:') return lmdbStore(lmdbPath(url))
  if (SCHEMES.includes(scheme)) return redisStore({ url, name: settings.name, deadline: `${settings.storeDeadline}ms` })
  // Nothing of it is repeated, for it may have a password.
  throw new OptionsError(
    'store',
    `store is a text that begins with none of ${[...SCHEMES, 'lmdb:', 'memory:'].join(' ')}.`,
  )
}

function memory({ now }: Settings): Store {
  return memoryStore(now === undefined ? {} : { now })
}

/** The path of an `lmdb:` URL. */
export function lmdbPath(url: string): string {
  const path = url.slice('lmdb:'.length).replace(/^\/\/(?=\/)/, '')
  if (path === '')
    throw new OptionsError(
      'store',
      "store is 'lmdb:' without a path: say where, such as 'lmdb:/var/lib/shop/sessions'.",
    )
  return path
}
