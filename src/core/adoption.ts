/**
 * Takes over the sessions of another library. What an old session becomes has a place and an id that follow from the old
 * id: its place by a hash, its verifier by an HMAC with the secret. So an old cookie is to its new session what a visitor's
 * id is to the guest's that follows it. Requests that bring it at once, to whichever servers, meet in one record, created
 * only if absent, and arrive at one next id; and in the store is nothing that anybody could use.
 */
import { LimitError, OptionsError, StoreUnavailableError } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type { AdoptionStats } from '../types.ts'
import { adoptedRecord, carriedFrom, idFor, idsOf } from './adopted-record.ts'
import { Notes, type Note } from './adoption-notes.ts'
import { standingOf as standingIn, Stored, type Standing } from './commits.ts'
import type { GenuineId } from './cookie.ts'
import { withdraw } from './ending.ts'
import type { PendingEnd } from './ends.ts'
import type { LiveRecord } from './live-record.ts'
import { Mirror } from './mirror.ts'
import { OldCookies, successorPlace, type Arrival } from './old-cookies.ts'
import type { Adopted, OldSessions } from './old-sessions.ts'
import { OldStore } from './old-store.ts'
import { DeadIds, judge, type Live } from './resolution.ts'
import { WarnOnce, type Services } from './services.ts'
import { handleOf } from './session-id.ts'
import type { Selector } from './store.ts'
import { endOf, endOldest } from './user-limit.ts'

/** Why an old session that lives was not adopted. */
type Refusal = 'adopted' | 'ended' | 'revoked' | 'superseded'

/** Who is signed in by an adoption, and since when. */
interface Entered {
  readonly user: string
  readonly signedInAt: number
}

/** An end of what may be adopted. */
type OldEnd = Omit<PendingEnd, 'write'> & { readonly write: () => Promise<{ readonly durable: true }> }

export class Adoption {
  readonly stats: { -readonly [Count in keyof AdoptionStats]: number } = { adopted: 0, refused: 0, ended: 0 }
  /** Only where old servers serve the same visitors. */
  readonly mirror: Mirror | undefined
  readonly #services: Services
  readonly #stores: ReadonlyMap<OldSessions, OldStore>
  readonly #notes: Notes
  readonly #dead: DeadIds = new DeadIds()
  readonly #warnings: WarnOnce

  constructor(services: Services) {
    const { settings } = services
    const guarding = { deadline: settings.storeDeadline, log: settings.log }
    this.#services = services
    this.#stores = new Map(settings.adopt.map((source) => [source, new OldStore(source, guarding)]))
    this.#notes = new Notes(services)
    this.#warnings = new WarnOnce(settings)
    this.mirror = this.#newMirror()
  }

  /** What a request brought of old sessions, if anything. Asks nobody. */
  brought(header: string | undefined): OldCookies | undefined {
    if (header === undefined) return undefined
    const { settings, clock } = this.#services
    const sources = settings.adopt.filter(({ cookieName }) => header.includes(cookieName))
    return sources.length === 0 ? undefined : new OldCookies(sources, header, settings.name, clock.now())
  }

  /**
   * The session that an old one has become, which is made where there is none yet. `undefined`: nothing that lives. `through`:
   * what was found dead a moment ago is looked for again. Rejects with `StoreUnavailableError` where either store fails.
   */
  async adopt(old: OldCookies, through: boolean): Promise<Live | undefined> {
    for (const arrival of old.arrivals) {
      if (!through && this.#dead.has(arrival.selector)) continue
      const live = await this.#adoptOne(arrival)
      if (live === undefined) {
        this.#dead.add(arrival.selector)
      } else {
        old.replaced = arrival.source.source === 'end'
        return live
      }
    }
    return undefined
  }

  /** The ends of what a request brought, for who signs out: it is not to be adopted any more, and its source is to be ended. */
  endsOf(old: OldCookies): readonly OldEnd[] {
    return old.arrivals.map((arrival) => ({
      selector: arrival.selector,
      handle: undefined,
      until: this.#services.clock.now() + arrival.source.lifetime,
      write: async () => {
        await this.#end(arrival.selector, arrival.source, arrival.visit.id)
        return { durable: true }
      },
    }))
  }

  /** A session has ended: what it was made of ends too. Rejects with `StoreUnavailableError`; then it is to be called again. */
  async ended(selector: Selector): Promise<void> {
    const note = await this.#notes.read(selector)
    if (note === undefined || note.fate === 'ended') return
    const source = this.#services.settings.adopt.find((one) => nameOf(one) === note.kind)
    await this.#end(selector, source, note.id)
    if (source === undefined || note.id === undefined) return
    const place = successorPlace(this.#services.settings.name, source, note.id)
    if (place !== selector) await this.#notes.write(place, { fate: 'ended' }, source.lifetime)
  }

  #newMirror(): Mirror | undefined {
    const source = this.#services.settings.adopt.find(({ records }) => records !== undefined)
    if (source?.records === undefined) return undefined
    return new Mirror({
      services: this.#services,
      source,
      records: source.records,
      notes: this.#notes,
      kind: nameOf(source),
      ask: (operation, ask) => this.#ask(source, operation, ask),
      adopt: (arrival) => this.#adoptOne(arrival),
      make: (arrival, adopted) => this.#make(arrival, adopted),
    })
  }

  stop(): void {
    for (const store of this.#stores.values()) store.stop()
  }

  async #adoptOne(arrival: Arrival): Promise<Live | undefined> {
    const { selector, source, visit } = arrival
    if (this.#services.ends.isPending(selector)) return this.#refuse(arrival, 'ended')
    const [standing, note] = await Promise.all([this.#look(selector), this.#notes.read(selector)])
    if ('record' in standing) return this.#join(arrival, standing, note)
    if (standing.gone !== 'absent') return this.#refuse(arrival, 'ended')
    // Where old servers keep it alive, it outlives its session here.
    const again = note?.fate === 'adopted' && source.records !== undefined
    if (note !== undefined && !again) return this.#joinLate(arrival, note.fate === 'adopted' ? 'adopted' : 'ended')
    const old = await this.#ask(source, 'get', () => visit.load())
    const adopted = old === undefined ? undefined : source.adopted(old)
    // Somebody may have adopted it meanwhile, and ended it where it was.
    if (adopted === undefined) return this.#joinLate(arrival)
    return this.#make(arrival, adopted)
  }

  async #look(selector: Selector): Promise<Standing> {
    return standingIn(await this.#services.store.load(selector))
  }

  /** The session is there: another request has adopted it, and this one brings the id before. */
  async #join(arrival: Arrival, stored: Stored, note: Note | undefined): Promise<Live | undefined> {
    const live = this.#judge(arrival, stored)
    if (live === undefined) return this.#refuse(arrival, note?.fate === 'ended' ? 'ended' : 'superseded')
    if (note === undefined)
      await this.#note(arrival, arrival.source.records === undefined ? undefined : arrival.visit.id)
    return live
  }

  /** The same, where it was not there a moment ago. */
  async #joinLate(arrival: Arrival, why?: Refusal): Promise<Live | undefined> {
    const standing = await this.#look(arrival.selector)
    const live = 'record' in standing ? this.#judge(arrival, standing) : undefined
    return live === undefined && why !== undefined ? this.#refuse(arrival, why) : live
  }

  #judge(arrival: Arrival, stored: Stored): Live | undefined {
    const id = idFor(this.#services, arrival, stored.record)
    if (id === undefined) return undefined
    const live = judge(this.#services, id, stored)
    return typeof live === 'string' ? undefined : live
  }

  /** Makes the session of an old one that nobody has adopted. */
  async #make(arrival: Arrival, adopted: Adopted): Promise<Live | undefined> {
    const carried = carriedFrom(this.#services, adopted)
    const entered = await this.#enter(arrival, adopted)
    if (entered === 'revoked') {
      await this.#end(arrival.selector, arrival.source, arrival.visit.id)
      return this.#refuse(arrival, 'revoked')
    }
    let made = false
    const [id] = idsOf(this.#services, arrival) as [GenuineId]
    const committed = await this.#services.commits.submit(
      arrival.selector,
      (record) => {
        made = record === undefined
        return record ?? adoptedRecord(this.#services, id, { ...entered, payload: carried.payload })
      },
      undefined,
      this.#services.settings.durability,
    )
    if ('gone' in committed) return this.#refuse(arrival, 'ended')
    await this.#note(arrival, made ? await this.#release(arrival) : arrival.visit.id)
    if (made) this.#tell(arrival, committed.record, carried.dropped)
    if (made && entered !== undefined && !(await this.#stands(arrival.selector, entered))) return undefined
    return this.#judge(arrival, new Stored(committed.record, committed.bytes))
  }

  /**
   * Enters the session in its user's index. What is of unknown age counts as older than every revocation: nobody who was
   * revoked comes back by an old cookie.
   */
  async #enter({ selector }: Arrival, { user, signedInAt }: Adopted): Promise<Entered | 'revoked' | undefined> {
    const { store, heartbeat, settings } = this.#services
    const since = signedInAt?.getTime() ?? 0
    if (heartbeat.epoch > 0 && since <= heartbeat.epoch) return 'revoked'
    if (user === undefined) return undefined
    checkUser(user, settings.limits.userId)
    const { notBefore, now } = await store.enroll(user, selector, settings.rollTime)
    if (notBefore > 0 && since <= notBefore) {
      await withdraw(this.#services, user, selector)
      return 'revoked'
    }
    return { user, signedInAt: Math.min(signedInAt?.getTime() ?? Infinity, Math.floor(now)) }
  }

  /** Looks whether the user was revoked meanwhile, and keeps `maxPerUser`: who was signed in already is not refused, as a sign-in may be. */
  async #stands(selector: Selector, { user, signedInAt }: Entered): Promise<boolean> {
    const { store, settings } = this.#services
    const { notBefore } = await store.enroll(user, selector, settings.rollTime)
    if (notBefore >= signedInAt) {
      await endOf(this.#services, { user, selector, signedInAt })
      return false
    }
    if (settings.maxPerUser?.beyond !== 'end-oldest') return true
    return endOldest(this.#services, { user, selector, signedInAt }, settings.maxPerUser)
  }

  /** Ends the old session, where it is not to be left. Answers its id where it is still to be ended later. A store that fails keeps nobody from his session. */
  async #release({ source, visit }: Arrival): Promise<string | undefined> {
    const { end } = source
    if (end === undefined) return undefined
    if (source.source === 'leave') return visit.id
    try {
      await this.#ask(source, 'destroy', () => end(visit.id))
      return undefined
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
      this.#services.settings.log.warn(
        { kind: source.kind, error },
        'An adopted session could not be ended in its old store.',
      )
      return visit.id
    }
  }

  /** Notes that it was adopted. `id`: what is still to be ended with it. */
  async #note({ selector, source }: Arrival, id?: string): Promise<void> {
    const kept = id === undefined || source.end === undefined ? {} : { kind: nameOf(source), id }
    await this.#notes.write(selector, { fate: 'adopted', ...kept }, source.lifetime)
  }

  /** Ends an old session: first for all servers here, then in its own store. */
  async #end(selector: Selector, source: OldSessions | undefined, id: string | undefined): Promise<void> {
    const lifetime = source?.lifetime ?? Math.max(...this.#services.settings.adopt.map((one) => one.lifetime))
    const end = id === undefined ? undefined : source?.end
    if (source !== undefined && id !== undefined && end !== undefined) {
      await this.#notes.write(selector, { fate: 'ending', kind: nameOf(source), id }, lifetime)
      await this.#ask(source, 'destroy', () => end(id))
    }
    await this.#notes.write(selector, { fate: 'ended' }, lifetime)
    this.stats.ended++
    if (channels.adoption.hasSubscribers) channels.adoption.publish({ kind: source?.kind, what: 'ended' })
  }

  #ask<Answer>(source: OldSessions, operation: string, ask: () => Promise<Answer>): Promise<Answer> {
    const store = this.#stores.get(source)
    return store === undefined ? ask() : store.ask(operation, ask)
  }

  #refuse({ source }: Arrival, why: Refusal): undefined {
    this.stats.refused++
    if (channels.adoption.hasSubscribers) channels.adoption.publish({ kind: source.kind, what: 'refused', why })
  }

  #tell({ source, selector }: Arrival, { epoch }: LiveRecord, dropped: readonly string[]): void {
    const handle = handleOf(selector, epoch)
    this.stats.adopted++
    channels.lifecycle.publish({ handle, what: 'adopted' })
    if (channels.adoption.hasSubscribers)
      channels.adoption.publish({ kind: source.kind, what: 'adopted', handle, dropped })
    for (const place of dropped)
      this.#warnings.warn(
        `${source.kind} ${place.slice(0, 100)}`,
        `Adopted sessions (${source.kind}) had something at ${place} that did not come along. This is said once; the channel holdfast:adoption has each.`,
      )
  }
}

/** What notes call a source. */
function nameOf({ kind, cookieName }: OldSessions): string {
  return `${kind} ${cookieName}`
}

function checkUser(user: unknown, most: number): void {
  if (typeof user !== 'string' || user === '' || user.startsWith('\0'))
    throw new OptionsError(
      'adopt',
      'map(old) answered a user that is no user id: a string that is not empty, nor begins with NUL.',
    )
  if (Buffer.byteLength(user) > most)
    throw new LimitError(
      'userId',
      `map(old) answered a user id of ${Buffer.byteLength(user)} bytes; limits.userId allows ${most}.`,
    )
}
