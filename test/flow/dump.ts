/** Everything that a thief of the store has. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { Redis } from 'ioredis'
import { open } from 'lmdb'

import { HEADER as ENTRY_HEADER } from '../../src/stores/lmdb/entry.ts'
import { KIND_LIVE } from '../../src/core/record.ts'
import type { Selector } from '../../src/core/store.ts'

export interface Dump {
  /** Every key and every value. */
  readonly bytes: readonly Buffer[]
  /** The live records, by the selector under which they are kept. */
  readonly live: ReadonlyMap<Selector, Uint8Array>
}

/** Reads the whole store behind the URL. */
export async function dumpOf(url: string): Promise<Dump> {
  return url.startsWith('redis:') ? dumpOfRedis(url) : dumpOfLmdb(url.slice('lmdb:'.length))
}

async function dumpOfRedis(url: string): Promise<Dump> {
  const redis = new Redis(url)
  try {
    const bytes: Buffer[] = []
    const live = new Map<Selector, Uint8Array>()
    for (const key of await redis.keys('*')) {
      bytes.push(Buffer.from(key), (await redis.dumpBuffer(key)) ?? Buffer.alloc(0))
      if ((await redis.type(key)) !== 'string') continue
      const value = await redis.getBuffer(key)
      if (value === null) continue
      bytes.push(value)
      collect(live, key.slice(key.lastIndexOf(':') + 1), value)
    }
    return { bytes, live }
  } finally {
    redis.disconnect()
  }
}

/** Reads beside the servers, from a process of its own, as a thief with the file would. */
async function dumpOfLmdb(path: string): Promise<Dump> {
  const root = open({ path, readOnly: true, maxDbs: 4, noSubdir: false, encoding: 'binary', keyEncoding: 'binary' })
  try {
    const bytes: Buffer[] = [await readFile(join(path, 'data.mdb'))]
    const live = new Map<Selector, Uint8Array>()
    const entries = root.openDB<Buffer, Buffer>({
      name: 'entries',
      encoding: 'binary',
      keyEncoding: 'binary',
      useVersions: true,
    })
    for (const { key, value } of entries.getRange()) {
      bytes.push(Buffer.from(key), Buffer.from(value))
      collect(live, key.toString('latin1').slice(1), Uint8Array.from(value.subarray(ENTRY_HEADER)))
    }
    return { bytes, live }
  } finally {
    await root.close()
  }
}

function collect(live: Map<Selector, Uint8Array>, name: string, value: Uint8Array): void {
  if (/^[\w-]{24}$/.test(name) && value[0] === KIND_LIVE) live.set(name as Selector, value)
}
