/**
 * A session's data in one request: decoded when it is first touched, compared with what was loaded when it
 * is committed, and brought up to date in place after a commit, so that references into it stay good.
 */
import { DataError, MigrationError } from '../errors.ts'
import { adopt } from './adopt.ts'
import type { Stored } from './commits.ts'
import type { DecodedPayloads } from './decoded.ts'
import { merge, rebase } from './merge.ts'
import type { Mould } from './mould.ts'
import type { Shape } from './shape.ts'
import type { Selector } from './store.ts'
import { clone, cloneDecoded, deepFreeze, equal } from './values.ts'

/** How data is made and bounded. */
export interface DataRules<Data extends object> {
  readonly initial: () => Data
  readonly decoded: DecodedPayloads
  readonly whole: ReadonlySet<string>
  readonly shape: Shape
}

/** Changes of one request, apart from the object that the handler goes on changing. */
export interface PendingData<Data extends object> {
  /** Whether there is anything to save. */
  readonly changed: boolean
  readonly mine: Data
  /** The data with these changes made on what is stored (`undefined`: nothing). */
  on(payload: Uint8Array | undefined): Made<Data>
}

/** Data that changes were made on. */
export interface Made<Data extends object> {
  readonly data: Data
  /** Places that both sides changed. */
  readonly conflicts: readonly string[]
  /** Whether the data are just as the request has them, because nobody else had changed any: they are `mine`, and not to be changed. */
  readonly own?: boolean
}

/** Whose data they are: who wants to know that they cannot be decoded. */
export interface Told {
  /** The session's public name. */
  readonly handle: string | undefined
  unreadable(): void
}

const NOTHING_CAST: readonly object[] = []

export class SessionData<Data extends object> {
  readonly #rules: DataRules<Data>
  readonly #told: Told | undefined
  #payload: Uint8Array | undefined
  /** Under which selector the payload was loaded, and of which record it is, where it may be decoded already. */
  #selector: Selector | undefined
  #stored: Stored | undefined
  #value: Data | undefined
  #baseline: Data | undefined
  /** What the value was cast from, and all its parts, as long as the baseline is the same. */
  #mould: Mould | undefined
  #cast: readonly object[] = NOTHING_CAST

  /** `payload`: the encoded data that was loaded; `undefined` where nothing is stored. `told` hears of it when it cannot be decoded; then the data are the initial ones. */
  constructor(rules: DataRules<Data>, payload: Uint8Array | undefined, told?: Told) {
    this.#rules = rules
    this.#told = told
    this.#payload = payload
  }

  get value(): Data {
    return (this.#value ??= this.#copyOfBase())
  }

  set value(value: Data) {
    this.#base()
    this.#value = value
    this.#mould = undefined
  }

  /** Whether it was looked at: nothing else can have changed it. */
  get touched(): boolean {
    return this.#value !== undefined
  }

  get changed(): boolean {
    if (this.#value === undefined || this.#mould?.fits(this.#cast) === true) return false
    return !equal(this.#value, this.#base())
  }

  /** Whether a newer version of the application has stored them: they are not changed here. */
  get newer(): boolean {
    return this.#payload !== undefined && this.#rules.shape.isNewer(this.#payload)
  }

  /** What there is to save at this moment. */
  pending(): PendingData<Data> {
    if (this.#value === undefined) return this.#nothingPending()
    const base = this.#base()
    const changed = this.changed
    const mine = changed ? clone(this.value) : base
    const loaded = this.#payload
    return {
      changed,
      mine,
      on: (payload) => {
        if (payload !== undefined) this.#refuseNewer(payload)
        if (payload === undefined || sameBytes(payload, loaded))
          return changed ? { data: mine, conflicts: [], own: true } : { data: clone(mine), conflicts: [] }
        const theirs = this.#read(payload)
        if (!changed) return { data: theirs as Data, conflicts: [] }
        const { value, conflicts } = merge(base, mine, theirs, { whole: this.#rules.whole })
        return { data: value as Data, conflicts }
      },
    }
  }

  #nothingPending(): PendingData<Data> {
    const base = (): Data => this.#base()
    return {
      changed: false,
      get mine() {
        return base()
      },
      on: (payload) => {
        if (payload !== undefined) this.#refuseNewer(payload)
        return { data: payload === undefined ? clone(base()) : (this.#read(payload) as Data), conflicts: [] }
      },
    }
  }

  /**
   * Takes over what is stored now. Changes made since `pending` was called stay, and stay unsaved. `own`: what is stored
   * is what `pending` had, so that there is nothing to take over.
   */
  rebase(payload: Uint8Array, pending: PendingData<Data>, own = false): void {
    this.#mould = undefined
    if (this.#value === undefined || own) {
      this.#payload = payload
      // What was encoded need not be decoded to be compared with.
      this.#baseline = own ? pending.mine : undefined
      return
    }
    const stored = this.#read(payload) as Data
    const untouched = equal(this.#value, pending.mine)
    const target = untouched ? stored : rebase(pending.mine, this.#value, stored, { whole: this.#rules.whole }).value
    this.#become(clone(target) as Data)
    this.#payload = payload
    this.#baseline = stored
  }

  /** Forgets everything and begins anew, from the payload of this visit or from the initial data. */
  reset(payload: Uint8Array | undefined, selector?: Selector): void {
    this.#load(payload, selector, undefined)
  }

  /** The same, from the payload of a record that may have been read before. */
  read(stored: Stored, selector: Selector): void {
    this.#load(stored.record.payload, selector, stored)
  }

  #load(payload: Uint8Array | undefined, selector: Selector | undefined, stored: Stored | undefined): void {
    this.#payload = payload
    this.#selector = selector
    this.#stored = stored
    this.#baseline = undefined
    this.#mould = undefined
    if (this.#value !== undefined) this.#become(clone(this.#base()))
  }

  encode(data: Data): Uint8Array {
    return this.#rules.shape.encode(data)
  }

  initial(): Data {
    return this.#rules.initial()
  }

  #base(): Data {
    return (this.#baseline ??= this.#payload === undefined ? this.#rules.initial() : this.#decoded(this.#payload))
  }

  /** In place where that can be; data that were frozen, because the response has left, are replaced and frozen again. */
  #become(data: Data): void {
    if (this.#value === undefined) return
    if (Object.isFrozen(this.#value)) this.#value = deepFreeze(data)
    else adopt(this.#value, data)
  }

  #copyOfBase(): Data {
    const base = this.#base()
    if (this.#payload === undefined) return clone(base)
    const decoded = this.#stored?.decoded
    const mould = decoded?.data === base ? decoded.mould : undefined
    if (mould === undefined) return cloneDecoded(base)
    this.#mould = mould
    this.#cast = mould.cast()
    return this.#cast[0] as Data
  }

  #decoded(payload: Uint8Array): Data {
    try {
      const selector = this.#selector
      if (selector === undefined) return this.#rules.shape.decode(payload) as Data
      const known = this.#stored?.record.payload === payload ? this.#stored.decoded?.data : undefined
      return (known ?? this.#decode(selector, payload)) as Data
    } catch (error) {
      if (error instanceof MigrationError) throw error.of(this.#told?.handle)
      if (!(error instanceof DataError)) throw error
      this.#payload = undefined
      this.#told?.unreadable()
      return this.#rules.initial()
    }
  }

  #decode(selector: Selector, payload: Uint8Array): object {
    const decoded = this.#rules.decoded.of(selector, payload)
    if (decoded?.data === undefined) return this.#rules.shape.decode(payload)
    if (this.#stored?.record.payload === payload) this.#stored.decoded = decoded
    return decoded.data
  }

  /** For a change, or for what comes of one. */
  #read(payload: Uint8Array): object {
    try {
      return this.#rules.shape.decode(payload)
    } catch (error) {
      throw error instanceof MigrationError ? error.of(this.#told?.handle) : error
    }
  }

  #refuseNewer(payload: Uint8Array): void {
    this.#rules.shape.refuseNewer(payload, this.#told?.handle)
  }
}

function sameBytes(left: Uint8Array, right: Uint8Array | undefined): boolean {
  return right !== undefined && Buffer.compare(left, right) === 0
}
