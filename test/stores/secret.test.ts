import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { resolveOptions } from '../../src/core/options.ts'
import { OptionsError } from '../../src/errors.ts'
import { findSecret } from '../../src/stores/secret.ts'
import type { Secrets } from '../../src/types.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-secret-'))
})
afterAll(() => rm(folder, { recursive: true }))

function find(store: string): { secret: Secrets; warnings: string[] } {
  const warnings: string[] = []
  const log = { warn: (_: object, message: string) => void warnings.push(message), error: () => undefined }
  return { secret: findSecret(undefined, store, resolveOptions({ store, log })), warnings }
}

describe('a secret that nobody gave', () => {
  it('is kept beside an LMDB store, for its owner only, and found there again', async () => {
    const path = join(folder, 'shop')
    const { secret } = find(`lmdb:${path}`)
    expect(await readFile(`${path}.secret`, 'utf8')).toBe(secret)
    expect((await stat(`${path}.secret`)).mode & 0o777).toBe(0o600)
    expect(find(`lmdb:${path}`).secret).toBe(secret)
  })

  it('is warned of each time, with the file that it is kept in and what to do for production', () => {
    const path = join(folder, 'told')
    for (const { warnings } of [find(`lmdb:${path}`), find(`lmdb:${path}`)]) {
      expect(warnings).toHaveLength(1)
      expect(warnings[0]).toContain(`${path}.secret,`)
      expect(warnings[0]).toContain('secret: process.env.SESSION_SECRET')
    }
  })

  it('is another in every process in front of a memory store, and the warning names no file', () => {
    const [one, other] = [find('memory:'), find('memory:')]
    expect(one.secret).not.toEqual(other.secret)
    expect(one.warnings).toEqual([expect.stringContaining('for this process alone')])
    expect(one.warnings[0]).not.toContain('.secret')
  })

  it('that cannot be kept is an error, and no warning says that it is', () => {
    const warnings: string[] = []
    const log = { warn: (_: object, message: string) => void warnings.push(message), error: () => undefined }
    const store = 'lmdb:/dev/null/shop'
    expect(() => findSecret(undefined, store, resolveOptions({ store, log }))).toThrow(OptionsError)
    expect(warnings).toEqual([])
  })
})
