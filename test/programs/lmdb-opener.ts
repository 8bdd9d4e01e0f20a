/**
 * Opens stores one after the other and tells how it went, a line of JSON each, before and after: a process that
 * dies in between has named the one that killed it. Directories come as arguments.
 */
import type { Selector } from 'holdfast'
import { lmdbStore } from 'holdfast/lmdb'

process.on('unhandledRejection', (error) => {
  process.stdout.write(`${JSON.stringify({ unhandled: String(error) })}\n`)
})

const selector = 'visit-1'.padEnd(24, '-') as Selector

for (const directory of process.argv.slice(2)) {
  process.stdout.write(`${JSON.stringify({ directory })}\n`)
  process.stdout.write(`${JSON.stringify({ directory, ...(await attempt(directory)) })}\n`)
}

async function attempt(directory: string): Promise<{ outcome: string; message?: string }> {
  const store = lmdbStore(directory)
  try {
    await store.open()
    await store.load(selector)
    for (let visit = 0; visit < 20; visit++)
      await store.end(`visit-${visit}`.padEnd(24, '-') as Selector, Uint8Array.of(0, 0), 60_000)
    return { outcome: 'open' }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code'
    return { outcome: code, message: String(error) }
  } finally {
    await store.close()
  }
}
