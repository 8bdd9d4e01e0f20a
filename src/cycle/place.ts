/** One cycle of one session: where it is in the store, and how it is read and written there. */
import { endedMarker, endReasonOf, isEnded, versionOf, VERSION_LENGTH } from '../core/record.ts'
import type { Bond } from '../core/session.ts'
import type { Awaitable, Durability, Patched, RecordBytes, Selector, Span, Swap } from '../core/store.ts'
import { cycleOf, judgeToken, makeToken } from '../csrf/token.ts'
import { CommitUnknownError, UnconfirmedError } from '../errors.ts'
import { ask, isLost, sameRecord } from './asking.ts'
import {
  begunAt,
  idempotencyKeyOf,
  isGenuine,
  keyOf,
  lifetimeOf,
  mintId,
  parseId,
  wasStored,
  type CycleId,
} from './cycle-id.ts'
import { encodeState, NO_VERSION, readRecord, writeRecord, type CycleHead, type CycleRecord } from './cycle-record.ts'
import { CycleError, type CycleErrorCode, type CycleErrorDetails } from './errors.ts'
import type { CycleSettings } from './options.ts'
import { Realm, realmOf } from './realm.ts'

/** Servers' clocks may differ by so much, in milliseconds. */
const CLOCKS_DIFFER = 1_000
/** Seconds are cut off a cycle's beginning, too. */
const SLACK: number = CLOCKS_DIFFER + 1_000

/** A record as it was found. */
export interface Stored {
  readonly record: CycleRecord
  readonly bytes: RecordBytes
}

/** What became of a write: stored, or what stood there instead. */
export type Written = 'stored' | { readonly found: RecordBytes | undefined }

export class Place<State> {
  readonly realm: Realm<State>
  readonly id: CycleId
  readonly key: Selector

  constructor(realm: Realm<State>, id: CycleId) {
    this.realm = realm
    this.id = id
    this.key = keyOf(realm.owner, id)
  }

  get idempotencyKey(): string {
    return idempotencyKeyOf(this.realm.owner, this.id)
  }

  /** Whether a record of it is to be expected: it had a state from its beginning on. */
  get stored(): boolean {
    return wasStored(this.id)
  }

  get begunAt(): number {
    return begunAt(this.id)
  }

  get lifetime(): number {
    return lifetimeOf(this.id)
  }

  get expiresAt(): number {
    return this.begunAt + this.lifetime
  }

  get expired(): boolean {
    return this.realm.now() > this.expiresAt + SLACK
  }

  /** How long what is written now is kept: an outcome is worth as much a while after the end, and longer than any request lasts. */
  get ttl(): number {
    return Math.max(0, this.expiresAt - this.realm.now()) + SLACK + this.realm.services.settings.maxRequestTime
  }

  /** A token for this cycle: each time different bytes. */
  token(): string {
    const { services, lineage } = this.realm
    return makeToken(services.keyring.active, services.random, lineage, { cycle: this.id })
  }

  version(): Buffer {
    return this.realm.services.random(VERSION_LENGTH)
  }

  /** A record that nobody has claimed. Throws `DataError` and `LimitError` for a state that cannot be kept. */
  unclaimed(head: CycleHead, state: unknown): RecordBytes {
    const encoded = encodeState(state, this.realm.services.settings.limits)
    return writeRecord({ ...head, id: this.id, version: this.version(), state: encoded })
  }

  /** What is stored of the cycle; `undefined` where nothing is, which a cycle that began without a state may be. */
  async load(): Promise<Stored | undefined> {
    return this.read(await this.realm.services.store.load(this.key))
  }

  /** The same of what the store answered. Throws `CycleError` for a cycle that is over without an outcome, or lost. */
  read(bytes: RecordBytes | undefined): Stored | undefined {
    const { expired } = this
    if (bytes === undefined) {
      if (expired) throw this.#expired()
      if (this.stored) throw this.error('ERR_CYCLE_UNKNOWN', 'The cycle is not in the store.')
      return undefined
    }
    if (isEnded(bytes)) {
      const how = endReasonOf(bytes) === 'signed-out' ? 'was abandoned' : 'gave way to newer ones'
      throw this.error('ERR_CYCLE_ENDED', `The cycle ${how}.`)
    }
    const record = readRecord(bytes)
    if (record === undefined)
      throw this.error('ERR_CYCLE_UNKNOWN', 'The cycle in the store is of a newer version, or garbage.')
    if (expired && record.phase === 'open') throw this.#expired()
    return { record, bytes }
  }

  /** The phase as it is to be seen now: whoever has run out of time without a sign has died. */
  standing({ phase, claim }: CycleHead): CycleHead['phase'] {
    return phase === 'running' && this.realm.now() > claim.deadline + CLOCKS_DIFFER ? 'in-doubt' : phase
  }

  /** Stores a first record. Throws `CommitUnknownError` and `UnconfirmedError`. */
  create(bytes: RecordBytes): Promise<Written> {
    const { store, settings } = this.realm.services
    return this.#write(bytes, () => store.create(this.key, bytes, this.ttl, settings.durability))
  }

  /** Stores a record where the one that it was made of is. Throws `CommitUnknownError` and `UnconfirmedError`. */
  replace(before: RecordBytes, bytes: RecordBytes): Promise<Written> {
    const { store, settings } = this.realm.services
    return this.#write(bytes, () => store.replace(this.key, versionOf(before), bytes, this.ttl, settings.durability))
  }

  async patch(expected: Span, written: Span, durability?: Durability): Promise<Patched> {
    return this.realm.services.store.patch(this.key, expected, written, this.ttl, durability)
  }

  /** Ends the cycle where it is as it was found; `undefined`: not there. */
  async end(why: 'signed-out' | 'revoked', before: RecordBytes | undefined): Promise<Written> {
    const version = before === undefined ? NO_VERSION : versionOf(before)
    const swap = await this.realm.services.store.end(this.key, endedMarker(why), this.ttl, { version })
    return swap.done ? 'stored' : { found: swap.found }
  }

  /** Takes it out of the index of the open cycles. */
  async withdraw(): Promise<void> {
    await this.realm.services.store.withdraw(this.realm.index, this.key)
  }

  error(code: CycleErrorCode, message: string, details?: CycleErrorDetails): CycleError {
    return this.realm.error(code, message, details)
  }

  /** After a lost answer the same is sent once more: it can be stored only once, and is known by its bytes. */
  async #write(bytes: RecordBytes, send: () => Awaitable<Swap>): Promise<Written> {
    let lost: unknown
    try {
      return this.#confirmed(await send(), bytes)
    } catch (error) {
      if (!isLost(error)) throw error
      lost = error
    }
    const again = await ask(send).catch((error: unknown) => {
      throw this.#unknown(error)
    })
    const what = this.#confirmed(again, bytes)
    // What stands there may have been made of ours. Where it is over, that is all the same.
    if (what !== 'stored' && what.found !== undefined && !isEnded(what.found)) throw this.#unknown(lost)
    return what
  }

  /** Of what is found to be ours nobody has said that a replica has it. Throws `UnconfirmedError` where that is asked for. */
  #confirmed(swap: Swap, bytes: RecordBytes): Written {
    const what = writtenBy(swap, bytes)
    const isDurable = this.realm.services.settings.durability === 'primary' || (swap.done && swap.durable)
    if (what !== 'stored' || isDurable) return what
    throw new UnconfirmedError(
      `A change of a cycle (${this.realm.settings.kind}) was stored, and too few replicas confirmed it in time: it counts once, and a fail-over now can lose it. Load the cycle again before repeating it.`,
      { handle: this.realm.handle },
    )
  }

  #unknown(cause: unknown): CommitUnknownError {
    return new CommitUnknownError(
      `The store did not confirm a change of a cycle (${this.realm.settings.kind}); it counts once or not at all. Load the cycle again before repeating it.`,
      { cause, handle: this.realm.handle },
    )
  }

  #expired(): CycleError {
    return this.error('ERR_CYCLE_EXPIRED', 'The lifetime of the cycle is over.')
  }
}

function writtenBy(swap: Swap, bytes: RecordBytes): Written {
  return swap.done || sameRecord(swap.found, bytes) ? 'stored' : { found: swap.found }
}

/** A new cycle of this kind and session. */
export function newPlace<State>(realm: Realm<State>, stored: boolean): Place<State> {
  const { services, owner, lifetime } = realm
  const beginning = { now: realm.now(), lifetime, stored }
  return new Place(realm, mintId(services.keyring.active, services.random, owner, beginning))
}

/** The cycle that a token names, in this session. Throws `CycleError`. */
export function placeOfToken<State>(
  settings: CycleSettings<State>,
  bond: Bond,
  token: unknown,
  handle: string | undefined,
): Place<State> {
  const text = typeof token === 'string' ? token : ''
  const lineage = bond.lineage()
  const refuse = (code: CycleErrorCode, message: string): CycleError =>
    new CycleError(code, `${message} (${settings.kind})`, { handle })
  const verdict = judgeToken(bond.services.keyring, text, lineage, undefined)
  if (verdict === 'stale' || (verdict === 'other-session' && lineage?.signedIn !== true))
    throw refuse('ERR_CYCLE_ENDED', 'A sign-in, a sign-out or a lost cookie ended this cycle.')
  if (verdict === 'other-session' || verdict === 'forged' || lineage === undefined)
    throw refuse('ERR_CYCLE_FOREIGN', 'The token is of another session, or not ours.')
  const id = cycleOf(text)
  if (id === undefined)
    throw refuse('ERR_CYCLE_UNKNOWN', 'The token is a CSRF token without a cycle: use cycle.field() in the form.')
  return placeIn(new Realm(settings, bond, lineage, handle), id)
}

/** The cycle that an id or a token names, in this session. Throws `CycleError`. */
export function placeOf<State>(
  settings: CycleSettings<State>,
  bond: Bond,
  idOrToken: unknown,
  handle: string | undefined,
): Place<State> {
  const id = typeof idOrToken === 'string' ? parseId(idOrToken) : undefined
  if (id === undefined) return placeOfToken(settings, bond, idOrToken, handle)
  const realm = realmOf(settings, bond, handle)
  if (realm !== undefined) return placeIn(realm, id)
  throw new CycleError(
    'ERR_CYCLE_UNKNOWN',
    `The browser brought no id of ours, so it has no cycle (${settings.kind}).`,
    { handle },
  )
}

function placeIn<State>(realm: Realm<State>, id: Buffer): Place<State> {
  if (isGenuine(realm.services.keyring, realm.owner, id)) return new Place(realm, id)
  throw realm.error('ERR_CYCLE_UNKNOWN', 'This session has no such cycle of this kind.')
}
