/**
 * Keeps sessions and the records of old servers the same, while both kinds of servers serve the same visitors. The old
 * record is the truth: what an old server changed is taken over when the session is loaded, and before an answer leaves,
 * what it changed is in the old record. A note beside each session names its old one. An old record that is missing was
 * ended by an old server, and so is its session then; an old cookie with another id has taken the place of the one before.
 *
 * A session whose id must reach nothing any more (sign-in, a rise in privilege) goes on with a new old id, too.
 */
import { OptionsError, StoreUnavailableError } from '../errors.ts'
import { carriedFrom } from './adopted-record.ts'
import type { Note, Notes } from './adoption-notes.ts'
import { standingOf, Stored } from './commits.ts'
import { endOfHolding } from './ending.ts'
import type { Holding } from './identity.ts'
import { mac } from './hmac.ts'
import { hashOf, markOf, marked, withoutOurs } from './mirror-mark.ts'
import type { Arrival } from './old-cookies.ts'
import type { Adopted, OldRecord, OldRecords, OldSessions } from './old-sessions.ts'
import { judge, type Live } from './resolution.ts'
import type { Services } from './services.ts'
import { handleOf } from './session-id.ts'
import type { Selector } from './store.ts'
import { equal } from './values.ts'

/** What mirroring needs of adoption. */
export interface Mirroring {
  readonly services: Services
  readonly source: OldSessions
  readonly records: OldRecords
  readonly notes: Notes
  /** What notes call the source. */
  readonly kind: string
  ask<Answer>(operation: string, ask: () => Promise<Answer>): Promise<Answer>
  adopt(arrival: Arrival): Promise<Live | undefined>
  make(arrival: Arrival, adopted: Adopted): Promise<Live | undefined>
}

/** The old record that a session goes with, as a request has found both. */
interface Link {
  readonly selector: Selector
  readonly epoch: number
  readonly id: string
  readonly seen: OldRecord
  /** The version of the session that the old record shows. */
  readonly counter: number
}

/** The session of a request, as old servers know it. */
export interface Followed {
  readonly session: Holding
  /** Where it is not the one that the request came with, or not that version. */
  readonly live: Live | undefined
  readonly link: Link
  /** Whether the browser has the cookie. */
  readonly brought: boolean
}

const ATTEMPTS_MOST = 10
const ID_BYTES = 24

export class Mirror {
  readonly #with: Mirroring

  constructor(mirroring: Mirroring) {
    this.#with = mirroring
  }

  /** The session of a request, with what old servers have made of it. `'ended'`: one of them has ended it. `undefined`: no old one leads to any. */
  async follow(arrivals: readonly Arrival[], own: Holding | undefined): Promise<Followed | 'ended' | undefined> {
    const mine = arrivals.filter(({ source }) => source === this.#with.source)
    // After the session was read: who has changed it has noted before what that builds on.
    const note = own === undefined ? undefined : await this.#linked(own)
    const linked = note?.id
    const known = mine.some(({ visit }) => visit.id === linked)
    if (own === undefined || linked === undefined || (mine.length > 0 && !known)) {
      const followed = await this.#followCookie(mine)
      if (followed !== undefined && own !== undefined && linked !== undefined) await this.#endIfOver(own, linked)
      if (followed !== undefined || own === undefined || linked === undefined) return followed
    }
    return (await this.#hold(own, linked, known, note?.taken)) ?? 'ended'
  }

  /**
   * Brings the old record up to date before the answer leaves; where the session has none yet, or its id of before must
   * reach nothing any more, under a new id. Answers the cookies that take it along.
   */
  async settle(session: Holding | undefined, followed: Followed | undefined): Promise<readonly string[]> {
    if (session === undefined) return []
    const { records } = this.#with
    const { selector } = session.id
    const before = followed?.link.selector === selector ? followed.link : undefined
    const kept = before?.epoch === session.record.epoch ? before : undefined
    if (kept !== undefined && kept.counter === session.record.counter) {
      await this.#with.ask('touch', () => records.touch(kept.id, kept.seen))
      return followed?.brought === true ? [] : [records.cookieFor(kept.id, kept.seen)]
    }
    const id = kept?.id ?? this.#newId(session)
    const written = await this.#bring(session, id, before, kept)
    if (written === undefined) return []
    const renews = Number.isFinite((written['cookie'] as { originalMaxAge?: unknown } | undefined)?.originalMaxAge)
    return kept !== undefined && followed?.brought === true && !renews ? [] : [records.cookieFor(id, written)]
  }

  async #linked({ id }: Holding): Promise<Note | undefined> {
    const note = await this.#with.notes.read(id.selector)
    return note?.kind === this.#with.kind ? note : undefined
  }

  async #followCookie(arrivals: readonly Arrival[]): Promise<Followed | undefined> {
    for (const arrival of arrivals) {
      const live = await this.#with.adopt(arrival)
      if (live === undefined) continue
      const note = await this.#linked(live)
      const followed = await this.#hold(live, arrival.visit.id, true, note?.taken)
      if (followed !== undefined) return { ...followed, live: followed.live ?? live }
    }
    return undefined
  }

  /** The session with what its old record says. `undefined`: that is over, and so is the session. */
  async #hold(own: Holding, id: string, brought: boolean, known: Note['taken']): Promise<Followed | undefined> {
    let session = own
    let live: Live | undefined
    let taken = known
    for (let attempt = 0; attempt < ATTEMPTS_MOST; attempt++) {
      const seen = await this.#load(id)
      if (seen === undefined) {
        await this.#end(session)
        return undefined
      }
      const hash = hashOf(seen)
      const shown = this.#shownIn(seen, session) ?? (taken?.hash === hash ? taken.counter : undefined)
      if (shown !== undefined && shown <= session.record.counter)
        return this.#followed({ session, live, id, seen, brought, counter: shown })
      const adopted = this.#with.source.adopted(withoutOurs(seen))
      if (shown === undefined && adopted?.user !== session.record.userId)
        return this.#replace(session, id, seen, adopted)
      // What was read may be a copy from before: then the newest is looked at first.
      const newer = shown === undefined ? undefined : await this.#newest(session)
      const next = newer ?? (adopted === undefined ? undefined : await this.#take(session, adopted))
      const held = next === undefined || next === 'as-it-is' ? session : next
      if (next !== undefined && next !== 'as-it-is') session = live = next
      if (next === undefined || (newer === undefined && adopted !== undefined && this.#holds(held, adopted))) {
        const { counter } = held.record
        if (next !== undefined) await this.#link(held, id, { hash, counter })
        return this.#followed({ session: held, live, id, seen, brought, counter })
      }
      taken = (await this.#linked(session))?.taken
    }
    throw new StoreUnavailableError('A session changed faster on old and new servers than it could be read. Try again.')
  }

  #followed({
    session,
    live,
    id,
    seen,
    brought,
    counter,
  }: Omit<Followed, 'link'> & Pick<Link, 'id' | 'seen' | 'counter'>): Followed {
    const { selector } = session.id
    return { session, live, brought, link: { selector, epoch: session.record.epoch, id, seen, counter } }
  }

  /** Which version of the session the old record shows. `undefined`: an old server has changed it since. */
  #shownIn(seen: OldRecord, { id, record }: Holding): number | undefined {
    const mark = markOf(seen)
    return mark?.handle === handleOf(id.selector, record.epoch) ? mark.counter : undefined
  }

  /** Puts the data of the old record into the session, if that is still as it was found. */
  async #take(session: Holding, adopted: Adopted): Promise<Live | 'as-it-is' | undefined> {
    const { services } = this.#with
    const { record } = session
    if (this.#holds(session, adopted)) return 'as-it-is'
    const { payload } = carriedFrom(services, adopted)
    const committed = await services.commits.submit(
      session.id.selector,
      (now) => {
        if (now === undefined) return { gone: 'absent' }
        if (now.epoch !== record.epoch) return { gone: 'superseded' }
        return now.counter === record.counter ? { ...now, payload } : now
      },
      session.bytes,
      services.settings.durability,
    )
    return 'gone' in committed ? undefined : this.#judged(session, new Stored(committed.record, committed.bytes))
  }

  /** Whether these are its data. Another may have changed the session first. */
  #holds({ record }: Holding, adopted: Adopted): boolean {
    return Buffer.compare(carriedFrom(this.#with.services, adopted).payload, record.payload) === 0
  }

  async #newest(session: Holding): Promise<Live | undefined> {
    const standing = standingOf(await this.#with.services.store.load(session.id.selector))
    if (!('record' in standing) || standing.record.counter <= session.record.counter) return undefined
    return this.#judged(session, standing)
  }

  #judged({ id }: Holding, stored: Stored): Live | undefined {
    const live = judge(this.#with.services, id, stored)
    return typeof live === 'string' ? undefined : live
  }

  /** An old server has signed somebody else in, or out, under the same id: that is another session. */
  async #replace(
    session: Holding,
    id: string,
    seen: OldRecord,
    adopted: Adopted | undefined,
  ): Promise<Followed | undefined> {
    const { services, source, notes } = this.#with
    await notes.link(session.id.selector, {}, source.lifetime)
    await this.#end(session)
    if (adopted === undefined) return undefined
    const visit = { id, load: async () => withoutOurs(seen) }
    const live = await this.#with.make({ source, visit, selector: services.selectors.mint() }, adopted)
    if (live === undefined) return undefined
    await this.#link(live, id, { hash: hashOf(seen), counter: live.record.counter })
    return this.#followed({ session: live, live, id, seen, brought: true, counter: live.record.counter })
  }

  #link({ id: { selector } }: Holding, id: string, taken?: Note['taken']): Promise<void> {
    const { notes, kind, source } = this.#with
    return notes.link(selector, { kind, id, taken }, source.lifetime)
  }

  async #endIfOver(session: Holding, id: string): Promise<void> {
    if ((await this.#load(id)) === undefined) await this.#end(session)
  }

  async #end(session: Holding): Promise<void> {
    await endOfHolding(this.#with.services, session).write()
  }

  #load(id: string): Promise<OldRecord | undefined> {
    return this.#with.ask('get', () => this.#with.records.load(id))
  }

  /** Follows from the session, so that requests which begin it at once on several servers give the browser one old id. */
  #newId({ id, record }: Holding): string {
    const { keys } = this.#with.services.keyring.active
    const parts = ['mirror', id.selector, String(record.epoch)].map((part) => Buffer.from(part))
    return mac(keys.adoption, parts, ID_BYTES).toString('base64url')
  }

  /** Writes the newest version of the session, until nobody has written another meanwhile. `undefined`: it is over. */
  async #bring(
    session: Holding,
    id: string,
    before: Link | undefined,
    kept: Link | undefined,
  ): Promise<OldRecord | undefined> {
    const { services } = this.#with
    const { selector } = session.id
    let newest = session.record
    for (let attempt = 0; attempt < ATTEMPTS_MOST; attempt++) {
      const written = await this.#write({ ...session, record: newest }, id, before, kept)
      if (written === undefined) {
        await this.#end(session)
        return undefined
      }
      if (kept === undefined) {
        await this.#link(session, id)
        if (before !== undefined) await this.#destroy(before.id)
      }
      const standing = standingOf(await services.store.load(selector))
      if (!('record' in standing) || standing.record.epoch !== session.record.epoch) {
        // Ended, or signed in to, while it was written: what was written must lead nowhere.
        await this.#destroy(id)
        return undefined
      }
      if (standing.record.counter <= newest.counter) return written
      newest = standing.record
    }
    throw new StoreUnavailableError('A session changed faster than it could be written for old servers. Try again.')
  }

  async #write(
    { id: { selector }, record }: Holding,
    id: string,
    before: Link | undefined,
    kept: Link | undefined,
  ): Promise<OldRecord | undefined> {
    const { records, services } = this.#with
    const there = kept === undefined ? (before?.seen ?? { cookie: records.newCookie() }) : await this.#load(id)
    // An old server has ended it since the request came.
    if (there === undefined) return undefined
    const { userId: user, signedInAt } = record
    const data = services.settings.shape.decode(record.payload)
    const session = { data, user, signedInAt: signedInAt === undefined ? undefined : new Date(signedInAt) }
    const members = plain(records.membersOf(session, withoutOurs(there)))
    this.#checkUser(members, user)
    const { cookie } = there
    const changed = kept !== undefined && markOf(there) === undefined && hashOf(there) !== hashOf(kept.seen)
    const written = changed
      ? { ...merged(withoutOurs(kept.seen), members, withoutOurs(there)), cookie }
      : marked({ ...members, cookie }, { handle: handleOf(selector, record.epoch), counter: record.counter })
    await this.#with.ask('set', () => records.write(id, written))
    return written
  }

  #checkUser(members: OldRecord, user: string | undefined): void {
    const found = this.#with.source.adopted(members)?.user
    if (found === user) return
    throw new OptionsError(
      'adopt.unmap',
      'unmap(session, old) does not say who is signed in as map(old) reads it: on an old server the visitor would be somebody else. Without map nobody can be signed in while mirroring.',
    )
  }

  async #destroy(id: string): Promise<void> {
    const { end } = this.#with.source
    if (end !== undefined) await this.#with.ask('destroy', () => end(id))
  }
}

/** As it stands in JSON. */
function plain(members: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(members)) as Record<string, unknown>
}

/** Their members, with those that are mine and were not so before. */
function merged(
  base: Record<string, unknown>,
  mine: Record<string, unknown>,
  theirs: Record<string, unknown>,
): Record<string, unknown> {
  const result = new Map(Object.entries(theirs))
  for (const name of new Set([...Object.keys(base), ...Object.keys(mine)])) {
    if (equal(mine[name], base[name])) continue
    if (Object.hasOwn(mine, name)) result.set(name, mine[name])
    else result.delete(name)
  }
  return Object.fromEntries(result)
}
