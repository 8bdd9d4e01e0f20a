/** What is compared of a session, to see whether it was changed. */
import type { Cookie } from './cookie.ts'
import type { Session } from './session.ts'

/** A session as it was at some time. */
export interface Snapshot {
  readonly id: string
  readonly content: string
}

export function snapshotOf(session: Session): Snapshot {
  return { id: session.id, content: contentOf(session) }
}

export function isSame(before: Snapshot | undefined, { id, content }: Snapshot): boolean {
  return before !== undefined && before.id === id && before.content === content
}

/** What counts as the session's content: all but its own cookie. */
function contentOf({ cookie: _cookie, ...content }: Session): string {
  return JSON.stringify(content)
}

/** All of a cookie but the moment of its end, which moves by itself. */
export function lifeOf({ data }: Cookie): string {
  return JSON.stringify({ ...data, expires: undefined })
}
