/** One cycle of one session: where it is in the store, and how it is read and written there. */
import type { Clock } from '../core/clock.ts'
import { endReasonOf, isEnded, versionOf } from '../core/record.ts'
import type { Services } from '../core/services.ts'
import type { Bond } from '../core/session.ts'
import type { RecordBytes, Selector } from '../core/store.ts'
import { cycleOf, judgeToken, makeToken, type Lineage } from '../csrf/token.ts'
import { begunAt, idempotencyKeyOf, indexOf, keyOf, parseId, wasStored, type CycleId, type Realm } from './cycle-id.ts'
import { decodeCycle, encodeCycle, type CycleRecord } from './cycle-record.ts'
import { CycleError, type CycleErrorCode, type CycleErrorDetails } from './errors.ts'
import type { CycleSettings } from './options.ts'

/** Seconds are cut off a cycle's beginning, and servers' clocks may differ by a little. */
const SLACK = 2_000
const STAMP_LENGTH = 4

/** A record as it was found. */
export interface Stored {
  readonly record: CycleRecord
  readonly bytes: RecordBytes
}

export class Place<State> {
  readonly settings: CycleSettings<State>
  readonly services: Services
  readonly id: CycleId
  readonly key: Selector
  readonly index: string
  readonly idempotencyKey: string
  readonly #lineage: Lineage
  readonly #handle: string | undefined

  constructor(
    settings: CycleSettings<State>,
    services: Services,
    lineage: Lineage,
    id: CycleId,
    handle: string | undefined,
  ) {
    const realm: Realm = { application: services.settings.name, kind: settings.kind, lineage }
    this.settings = settings
    this.services = services
    this.id = id
    this.key = keyOf(realm, id)
    this.index = indexOf(realm)
    this.idempotencyKey = idempotencyKeyOf(realm, id)
    this.#lineage = lineage
    this.#handle = handle
  }

  get clock(): Clock {
    return this.services.clock
  }

  /** Milliseconds from `begin` to the end. */
  get lifetime(): number {
    return this.settings.lifetime ?? this.services.settings.timers.absolute
  }

  get expiresAt(): number {
    return begunAt(this.id) + this.lifetime
  }

  get expired(): boolean {
    return this.clock.now() > this.expiresAt + SLACK
  }

  /** How long what is written now is kept: an outcome is worth as much a while after the end. */
  get ttl(): number {
    return Math.max(1, this.expiresAt + SLACK + this.services.settings.maxRequestTime - this.clock.now())
  }

  /** Another cycle of the same kind and session. */
  at(id: CycleId): Place<State> {
    return new Place(this.settings, this.services, this.#lineage, id, this.#handle)
  }

  /** A token for this cycle: each time different bytes. */
  token(): string {
    const { keyring, random } = this.services
    return makeToken(keyring.active, random, this.#lineage, { cycle: this.id })
  }

  stamp(): Buffer {
    return this.services.random(STAMP_LENGTH)
  }

  encode(record: CycleRecord, stamp: Uint8Array = this.stamp()): RecordBytes {
    return encodeCycle(record, this.id, stamp, this.services.settings.limits)
  }

  /** What is stored of the cycle; `undefined` where nothing is, which a cycle that began without a state may be. */
  async load(): Promise<Stored | undefined> {
    return this.read(await this.services.store.load(this.key))
  }

  /** The same of what the store answered. Throws `CycleError` for a cycle that is over without an outcome, or lost. */
  read(bytes: RecordBytes | undefined): Stored | undefined {
    const { expired } = this
    if (bytes === undefined) {
      if (expired) throw this.#expired()
      if (wasStored(this.id)) throw this.error('ERR_CYCLE_UNKNOWN', 'The cycle is not in the store.')
      return undefined
    }
    if (isEnded(bytes)) {
      const how = endReasonOf(bytes) === 'signed-out' ? 'was abandoned' : 'gave way to newer ones'
      throw this.error('ERR_CYCLE_ENDED', `The cycle ${how}.`)
    }
    const record = decodeCycle(bytes)
    if (record === undefined)
      throw this.error('ERR_CYCLE_UNKNOWN', 'The cycle in the store is of a newer version, or garbage.')
    if (expired && record.phase === 'open') throw this.#expired()
    return { record, bytes }
  }

  /** Stores the record where the one that it was made of is; answers what stood there instead where it is not. */
  async replace(
    before: RecordBytes,
    record: CycleRecord,
  ): Promise<'replaced' | { readonly found: RecordBytes | undefined }> {
    const bytes = this.encode(record)
    const swap = await this.services.store.replace(this.key, versionOf(before), bytes, this.ttl)
    return swap.done ? 'replaced' : { found: swap.found }
  }

  #expired(): CycleError {
    return this.error('ERR_CYCLE_EXPIRED', 'The lifetime of the cycle is over.')
  }

  error(code: CycleErrorCode, message: string, details: CycleErrorDetails = {}): CycleError {
    return new CycleError(code, `${message} (${this.settings.kind})`, { handle: this.#handle, ...details })
  }
}

/** The cycle that a token names, in this session. Throws `CycleError`. */
export function placeOfToken<State>(
  settings: CycleSettings<State>,
  bond: Bond,
  token: unknown,
  handle: string | undefined,
): Place<State> {
  const { services } = bond
  const lineage = bond.lineage()
  const text = typeof token === 'string' ? token : ''
  const verdict = judgeToken(services.keyring, text, lineage, undefined)
  const id = cycleOf(text)
  if (verdict === 'stale' || (verdict === 'other-session' && lineage?.signedIn !== true))
    throw new CycleError(
      'ERR_CYCLE_ENDED',
      `A sign-in, a sign-out or a lost cookie ended this cycle (${settings.kind}).`,
      { handle },
    )
  if (verdict === 'other-session' || verdict === 'forged' || lineage === undefined)
    throw new CycleError('ERR_CYCLE_FOREIGN', `The token is of another session, or not ours (${settings.kind}).`, {
      handle,
    })
  if (id === undefined)
    throw new CycleError(
      'ERR_CYCLE_UNKNOWN',
      `The token is a CSRF token without a cycle: use cycle.field() in the form (${settings.kind}).`,
      { handle },
    )
  return new Place(settings, services, lineage, id as CycleId, handle)
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
  const lineage = bond.lineage()
  if (lineage === undefined)
    throw new CycleError(
      'ERR_CYCLE_UNKNOWN',
      `The browser brought no id of ours, so it has no cycle (${settings.kind}).`,
      { handle },
    )
  return new Place(settings, bond.services, lineage, id, handle)
}
