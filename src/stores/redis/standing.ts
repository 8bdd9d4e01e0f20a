/** What a server says of itself: its role, and marks by which another one, or one that has lost its memory, is told from it. */
import type { Command, Reply } from './link.ts'

export const STANDING_QUESTION: Command = ['INFO', 'server', 'replication', 'persistence']

export interface Standing {
  readonly role: 'primary' | 'replica' | 'loading'
  /** Another one after each start; empty where the server does not say. */
  readonly runId: string
  /** The history of changes that it is in: another one after each promotion. */
  readonly history: string
  /** The history that it continues, as far as it was a replica before; empty otherwise. */
  readonly before: string
}

/** Of a server that may not be asked: it is taken for a primary until it refuses a write. */
export const UNTOLD: Standing = { role: 'primary', runId: '', history: '', before: '' }

export function standingOf(reply: Reply): Standing {
  const fields = fieldsOf(Buffer.isBuffer(reply) ? reply.toString('latin1') : '')
  const loading = fields.get('loading') === '1'
  const replica = fields.get('role') === 'slave'
  return {
    role: loading ? 'loading' : replica ? 'replica' : 'primary',
    runId: fields.get('run_id') ?? '',
    history: fields.get('master_replid') ?? '',
    before: (fields.get('master_replid2') ?? '').replace(/^0+$/, ''),
  }
}

/**
 * Whether acknowledged writes may be gone between two looks: it is another server, the same one started again, or one
 * that has been a replica meanwhile. A primary that merely begins a new history, because it got its first replica,
 * continues none. Of a server that tells nothing it may always be so.
 */
export function mayHaveLost(then: Standing, now: Standing): boolean {
  if (now.runId !== then.runId || (now.runId === '' && now.history === '')) return true
  return now.history !== then.history && (now.before !== '' || now.runId === '')
}

/** Whether `now` was a replica of `then`, and took its place. */
export function succeeds(then: Standing, now: Standing): boolean {
  return now.before !== '' && now.before === then.history
}

function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}
