/**
 * What Holdfast asks of a store.
 *
 * A store keeps one value under each selector, for a time, and changes it by compare-and-set. Of a value
 * it has to understand three things only, which `core/record.ts` lays out at its beginning: whether it is
 * a live record or the marker of an ended one, its version, and its user. The rest is not its business.
 *
 * What is missing, ended or in conflict is a *value*: only a broken store rejects, with a
 * `StoreUnavailableError` whose `applied` says whether a write can have arrived. Times cross as durations
 * in milliseconds, or are the store's own clock: no server's clock can end a session. A store never repeats
 * a write by itself. Every method touches one key in one atomic step, and settles within the store's deadline.
 *
 * What ends something (`end`, `bar`, `moveEpoch`) waits for a replica where the store has replicas; `create` and
 * `replace` do so where they are asked to.
 */

/** Names one visit in the store; 24 characters of base64url. It gives no power. */
export type Selector = string & { readonly '~selector': true }

/** The bytes of a record or of an ended marker. Treat as immutable. */
export type RecordBytes = Uint8Array

export type Awaitable<T> = T | Promise<T>

/**
 * How many must have a write before it counts as done: the server that took it, or a replica too, where the store has
 * replicas. What a fail-over can lose is what no replica had.
 */
export type Durability = 'primary' | 'replicated'

/**
 * What a write says of itself: `durable: false` means that it was stored, but that fewer replicas than were asked for
 * confirmed it within the store's deadline.
 */
export interface Durable {
  readonly durable: boolean
}

/** The answer of a compare-and-set: done, or what stood there instead (`undefined`: nothing). */
export type Swap =
  | ({ readonly done: true } & Durable)
  | { readonly done: false; readonly found: RecordBytes | undefined }

/** The answers of a compare-and-set that went through. */
export const DONE: Swap = Object.freeze({ done: true, durable: true })
export const UNCONFIRMED: Swap = Object.freeze({ done: true, durable: false })

/** Is told what a store notices by itself. The last two: where `loadTracked` is asked. */
export interface StoreWatcher {
  /** Another server answers from now on, or the same one without its memory: acknowledged writes may be gone. */
  replaced(): void
  /** What `loadTracked` answered for the selector is not there any more, or may not be. */
  changed?(selector: Selector): void
  /** Changes of what was answered as tracked so far may not be told of: all of it may be old. */
  untracked?(): void
}

/** What stood under a selector. `tracked`: the watcher is told, once, when that changes, or `untracked`. */
export interface Tracked {
  readonly found: RecordBytes | undefined
  readonly tracked: boolean
}

/** Some bytes of a record, and where they stand. */
export interface Span {
  readonly at: number
  readonly bytes: Uint8Array
}

/** The answer of a patch: the whole record as it is now, or what stood there instead. */
export type Patched =
  | ({ readonly done: true; readonly record: RecordBytes } & Durable)
  | { readonly done: false; readonly found: RecordBytes | undefined }

/** A condition on ending a visit: only in this version, or only while it belongs to this user. */
export type EndCondition = { readonly version: Uint8Array } | { readonly user: string }

/** One entry of a user's index; `age` in milliseconds of the store's clock since it was enrolled. */
export interface Enrolment {
  readonly selector: Selector
  readonly age: number
}

/** A user's index: sign-ins at or before `notBefore` (the store's clock, ms; 0: none) are revoked. */
export interface Roll {
  readonly entries: readonly Enrolment[]
  readonly notBefore: number
  readonly now: number
}

/** What a store counted since it was opened. */
export interface StoreStats {
  /** Commands, transactions or look-ups that reached the store. */
  readonly commands: number
}

export interface Store {
  /** A short name for logs and metrics: `memory`, `lmdb`, `redis`. */
  readonly kind: string

  /** Whether `load` answers the very same object for as long as the value is the same one. Default: no. */
  readonly steady?: boolean

  /**
   * Whether what it acknowledged may be gone later: after a fail-over, a restart, a restored dump. Then browsers keep the
   * version that they were shown in a cookie, and a loss is noticed. Default: no.
   */
  readonly mayLose?: boolean

  /** Opens files or connections. Called once, before anything else; safe to call again. Rejects with an `OptionsError` for what no waiting mends, with a `StoreUnavailableError` for the rest. */
  open(): Promise<void>

  /** The value under the selector: a live record, an ended marker, or `undefined` where there is neither. An expired value is absent. */
  load(selector: Selector): Awaitable<RecordBytes | undefined>

  /**
   * As `load`, and has the watcher told of the next change, whoever makes it. The news may come before this answer does. A
   * store that cannot tell has no such method; one that cannot at the moment answers `tracked: false`.
   */
  loadTracked?(selector: Selector): Promise<Tracked>

  /** Milliseconds until the value under the selector expires; `undefined` where there is none. */
  remaining(selector: Selector): Awaitable<number | undefined>

  /** Stores a record where there is neither a record nor a marker. `found` otherwise. */
  create(selector: Selector, record: RecordBytes, ttl: number, durability?: Durability): Awaitable<Swap>

  /** Stores a record where a live record with exactly this version is (8 bytes, as `versionOf` gives them). `found` otherwise. */
  replace(
    selector: Selector,
    version: Uint8Array,
    record: RecordBytes,
    ttl: number,
    durability?: Durability,
  ): Awaitable<Swap>

  /**
   * Overwrites some bytes of a live record in which others are as expected, whatever its version, and sets its expiry.
   * Both spans lie within the record, which keeps its length. `found` otherwise. Reads and claims in one step.
   */
  patch(selector: Selector, expected: Span, written: Span, ttl: number, durability?: Durability): Awaitable<Patched>

  /**
   * Moves the expiry of a live record further away, and of nothing else. An expiry that is later already stays, and the
   * answer is `touched` all the same: a touch with an older view must not cut the life that a newer record was given.
   */
  touch(selector: Selector, ttl: number): Awaitable<'touched' | 'absent' | 'ended'>

  /**
   * Puts an ended marker in the place of whatever is there, also of nothing. With a condition, a live record
   * that does not meet it stays (`found`). An existing marker stays as it is, which is `done`. Works when the store is full.
   */
  end(selector: Selector, marker: RecordBytes, ttl: number, condition?: EndCondition): Awaitable<Swap>

  /**
   * Enters the visit in the user's index (again: with a new age), and drops entries older than `lifetime`, after which the
   * whole index expires. `now` is the time of the entry: later than that of every entry that was made before, so that
   * all servers see the sign-ins of a user in one order.
   */
  enroll(user: string, selector: Selector, lifetime: number): Awaitable<Pick<Roll, 'notBefore' | 'now'>>

  /**
   * Takes the visit out of the user's index; with `until` (the store's clock, ms) only where it was entered at or before
   * that moment, and so not by a sign-in that came later. Not being there is no error.
   */
  withdraw(user: string, selector: Selector, until?: number): Awaitable<void>

  /** Reads the user's index. */
  roll(user: string): Awaitable<Roll>

  /** Sets the user's `notBefore` to the store's present time (never back) for `lifetime`, and answers the index as it was at that moment. */
  bar(user: string, lifetime: number): Awaitable<Roll & Durable>

  /** The next lease, counted up: no two calls ever answer the same number, unless the store lost its counter. */
  nextLease(): Awaitable<number>

  /** Holds the lease for `owner` for `ttl`, again when it is the owner already. Answers who holds it now. */
  holdLease(lease: number, owner: string, ttl: number): Awaitable<string>

  /** The store's clock, and its epoch: visits begun at or before `epoch` (the store's clock, ms; 0: none) are revoked. */
  epoch(): Awaitable<{ readonly epoch: number; readonly now: number }>

  /** Moves the epoch to the store's present time, and answers it. */
  moveEpoch(): Awaitable<{ readonly epoch: number } & Durable>

  /** Tells the watcher from now on. Called at most once, before `open`. A store that never loses what it acknowledged has nothing to tell. */
  watch?(watcher: StoreWatcher): void

  stats(): StoreStats

  /** Closes what it opened. Safe to call again. */
  close(): Promise<void>
}
