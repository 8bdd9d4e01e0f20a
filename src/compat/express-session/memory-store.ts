/** Sessions in this process's memory: for development and tests, because they are gone with it, and other servers have not got them. */
import { answered, type Callback } from './answered.ts'
import type { Session } from './session.ts'
import type { SessionData } from './store-contract.ts'
import { Store } from './store.ts'

export class MemoryStore extends Store {
  /** Sessions as JSON, by id. Public, as in express-session: tests look into it. */
  sessions: Record<string, string> = Object.create(null) as Record<string, string>

  get(id: string, callback?: Callback<SessionData | undefined>): unknown {
    return later(callback, readIn(this.sessions, id))
  }

  set(id: string, session: Session, callback?: Callback): unknown {
    this.sessions[id] = JSON.stringify(session)
    return later(callback, undefined)
  }

  destroy(id: string, callback?: Callback): unknown {
    delete this.sessions[id]
    return later(callback, undefined)
  }

  /** Moves the session's end, and nothing else. */
  touch(id: string, session: Session, callback?: Callback): unknown {
    const stored = readIn(this.sessions, id)
    if (stored !== undefined) this.sessions[id] = JSON.stringify({ ...stored, cookie: session.cookie })
    return later(callback, undefined)
  }

  /** Every session that has not expired, by id. */
  all(callback?: Callback<Record<string, SessionData>>): unknown {
    return later(callback, readAll(this.sessions))
  }

  /** How many sessions there are that have not expired. */
  length(callback?: Callback<number>): unknown {
    return later(callback, Object.keys(readAll(this.sessions)).length)
  }

  clear(callback?: Callback): unknown {
    this.sessions = Object.create(null) as Record<string, string>
    return later(callback, undefined)
  }
}

function later<Value>(callback: Callback<Value> | undefined, value: Value): unknown {
  return answered(undefined, callback, (done) => setImmediate(done, null, value))
}

function readAll(sessions: Record<string, string>): Record<string, SessionData> {
  const found = Object.create(null) as Record<string, SessionData>
  for (const id of Object.keys(sessions)) {
    const data = readIn(sessions, id)
    if (data !== undefined) found[id] = data
  }
  return found
}

/** Forgets it where it has expired. */
function readIn(sessions: Record<string, string>, id: string): SessionData | undefined {
  const stored = sessions[id]
  if (stored === undefined) return undefined
  const data = JSON.parse(stored) as SessionData
  const { expires } = (data.cookie as { expires?: string | null } | undefined) ?? {}
  if (typeof expires !== 'string' || new Date(expires).getTime() > Date.now()) return data
  delete sessions[id]
  return undefined
}
