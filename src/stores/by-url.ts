/** The store that an option names. What a store needs is loaded only when it is opened. */
import type { Settings } from '../core/options.ts'
import type { Store } from '../core/store.ts'
import { OptionsError } from '../errors.ts'
import { SCHEMES, storeUrl } from './redis/url.ts'
import { resolveUse } from './redis/use.ts'
import { StoreToCome } from './store-to-come.ts'

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
  if (scheme === 'lmdb:') return lmdb(lmdbPath(url))
  if (SCHEMES.includes(scheme)) return redis(url, settings)
  // Nothing of it is repeated, for it may have a password.
  throw new OptionsError(
    'store',
    `store is a text that begins with none of ${[...SCHEMES, 'lmdb:', 'memory:'].join(' ')}.`,
  )
}

function memory({ now }: Settings): Store {
  return new StoreToCome({
    kind: 'memory',
    steady: true,
    load: async () => (await import('./memory.ts')).memoryStore(now === undefined ? {} : { now }),
  })
}

function lmdb(path: string): Store {
  return new StoreToCome({ kind: 'lmdb', steady: true, load: async () => (await import('./lmdb.ts')).lmdbStore(path) })
}

function redis(url: string, { name, storeDeadline }: Settings): Store {
  const options = { url, name, deadline: `${storeDeadline}ms` } as const
  // What is wrong is refused now, and not when the store opens.
  storeUrl(url)
  resolveUse(options)
  return new StoreToCome({
    kind: 'redis',
    mayLose: true,
    tracks: true,
    load: async () => (await import('./redis/index.ts')).redisStore(options),
  })
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
