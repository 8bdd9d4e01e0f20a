/**
 * Takes a protection out of the near cache, in this process only, so that it is seen whether the proof notices: what is
 * patched is the class itself, which has no hooks for that. The process runs with `apart.ts`.
 */
import path from 'node:path'
import { pathToFileURL } from 'node:url'

import { PROJECT } from '../peers.ts'

/**
 * `floor`: what the browser was shown does not count. `flush`: nothing is dropped when the channel breaks. `mark`: news that
 * overtake an answer do not keep it from being kept. `age`: what is kept never gets too old, which is an option and no patch.
 */
export type Break = 'floor' | 'flush' | 'mark' | 'age'

export const BREAKS: readonly Break[] = ['floor', 'flush', 'mark', 'age']

/** As far as it is patched. */
interface NearCache {
  get(selector: string, version: number): unknown
  look(selector: string, version: number | undefined): Promise<unknown>
  changed(selector: string): void
  flush(): void
}

export async function breakNearCache(what: Break): Promise<void> {
  const near = await prototypeOf('build/src/core/near-cache.js')
  if (what === 'floor') withoutFloor(near)
  else if (what === 'flush') near.flush = () => undefined
  else if (what === 'mark') withoutMark(near)
}

async function prototypeOf(file: string): Promise<NearCache> {
  const { NearCache } = (await import(pathToFileURL(path.join(PROJECT, file)).href)) as {
    readonly NearCache: { readonly prototype: NearCache }
  }
  const { prototype } = NearCache
  for (const method of ['get', 'look', 'changed', 'flush'] as const)
    if (typeof prototype[method] !== 'function') throw new Error(`${file} has no NearCache.${method} to patch`)
  return prototype
}

function withoutFloor(near: NearCache): void {
  const { get, look } = near
  near.get = function (selector) {
    return get.call(this, selector, 0)
  }
  near.look = function (selector, version) {
    return look.call(this, selector, version === undefined ? undefined : 0)
  }
}

function withoutMark(near: NearCache): void {
  const { get, look, changed } = near
  const asking = new Map<string, number>()
  near.look = async function (selector, version) {
    asking.set(selector, (asking.get(selector) ?? 0) + 1)
    try {
      return await look.call(this, selector, version)
    } finally {
      const left = (asking.get(selector) ?? 1) - 1
      if (left > 0) asking.set(selector, left)
      else asking.delete(selector)
    }
  }
  near.changed = function (selector) {
    if (!asking.has(selector)) return changed.call(this, selector)
    // An entry that is older than any version is dropped; the mark is left alone.
    get.call(this, selector, Number.POSITIVE_INFINITY)
  }
}
