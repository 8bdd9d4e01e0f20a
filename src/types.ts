/** The public types: what an application writes and sees. */
import type { OldSessions } from './core/old-sessions.ts'
import type { Durability, Durable, Store } from './core/store.ts'
import type { CsrfReason } from './errors.ts'

/** A length of time: `'500ms'`, `'60s'`, `'30m'`, `'12h'`, `'7d'`. Whole numbers only. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/**
 * Declares the type of `req.session.data` for the frameworks' request types, by declaration merging:
 * `declare module 'holdfast' { interface Register { data: Shop } }`. It types one manager; `sessions.of(req)` types each.
 */
export interface Register {}

/** What `req.session.data` is: the registered type, else an object of unknown values. */
export type RegisteredData = Register extends { data: infer Data extends object } ? Data : Record<string, unknown>

type Scalar = string | number | boolean | bigint | null | undefined | Date | Uint8Array

/** `T` where every value of it can be kept in a session, `never` at the places that cannot: functions, symbols, class instances with methods. */
export type Storable<T> = unknown extends T
  ? T
  : T extends Scalar
    ? T
    : T extends (...args: never[]) => unknown
      ? never
      : T extends symbol
        ? never
        : T extends ReadonlyMap<infer Key, infer Value>
          ? Map<Storable<Key>, Storable<Value>> | ReadonlyMap<Storable<Key>, Storable<Value>>
          : T extends ReadonlySet<infer Member>
            ? Set<Storable<Member>> | ReadonlySet<Storable<Member>>
            : { [Key in keyof T]: Storable<T[Key]> }

/** Nothing more to ask of options whose data can be kept; else something that they cannot have, so that the compiler says where it fails. */
export type OnlyStorable<Data> = [Data] extends [Storable<Data>]
  ? unknown
  : { readonly data: 'session data cannot hold functions, symbols or instances of classes' }

/** The states of a session: nothing stored; live; a read-only copy while the store is down; over. */
export type SessionStatus = 'none' | 'live' | 'stale' | 'lapsed'

/** What a commit did. `'gone'`: the session is over, the change was dropped. `'merged'`: it was saved together with another's. */
export type CommitOutcome = 'unchanged' | 'touched' | 'saved' | 'merged' | 'gone'

/** What a commit came to where it was told how durable it has to be. `durable: false`: stored, and not confirmed by the replicas that were asked for. */
export interface CommitResult extends Durable {
  readonly outcome: CommitOutcome
}

/** How durable one change has to be; by default what the option `durability` says. */
export interface DurabilityOption {
  readonly durability: Durability
}

/** CSRF tokens of one session. Each call makes a fresh one; all stay valid as long as the session's lineage lives. */
export interface SessionCsrf {
  /** A token for the field `_csrf` or the header `x-csrf-token`; with a path, good for requests to exactly that path. Throws `HeadSentError` where it would need a cookie that can no longer be sent. */
  token(path?: string): string
  /** The token as a hidden input, escaped. */
  field(path?: string): string
  /** Whether the token is valid for this session, and for this path where it is bound to one. */
  verify(token: string, path?: string): boolean
}

/** A visitor's session. It is always there; `status` says whether anything is stored. */
export interface Session<Data extends object = RegisteredData> {
  /** Plain data. Changes at any depth are found by comparison and saved before the response leaves. Assigning replaces it whole. */
  data: Data
  readonly status: SessionStatus
  /** The public name of the session, stable over renewals of its id. `undefined` while nothing is stored. */
  readonly handle: string | undefined
  readonly userId: string | undefined
  readonly createdAt: Date | undefined
  readonly signedInAt: Date | undefined
  /** When it ends if nothing more happens: the idle or the absolute timeout, whichever is first. */
  readonly expiresAt: Date | undefined
  /** Counts the saved changes; 0 while nothing is stored. */
  readonly version: number
  /** Aborted when this session ends in this process, by sign-out, revocation, or the discovery that it is over. */
  readonly signal: AbortSignal
  readonly csrf: SessionCsrf
  /** An exact read-modify-write. `change` is synchronous and pure, may run again, and sees the newest data with this request's changes. Throws `SessionEndedError`, `StoreUnavailableError`, `CommitUnknownError`, `UnconfirmedError`. */
  update<Result>(change: (data: Data) => Result): Promise<Result>
  /** The same, and says whether the replicas that were asked for have confirmed it. */
  update<Result>(
    change: (data: Data) => Result,
    options: DurabilityOption,
  ): Promise<{ readonly result: Result } & Durable>
  /** Saves now what has been changed so far. */
  commit(): Promise<CommitOutcome>
  /** The same, and says whether the replicas that were asked for have confirmed what it wrote. */
  commit(options: DurabilityOption): Promise<CommitResult>
  /** Forgets unsaved changes and reads the newest data. */
  reload(): Promise<void>
  /** Moves the idle deadline now, whatever the touch interval says. */
  touch(): Promise<void>
  /** Signs the user in under a new id and handle. A guest's data goes along (`'keep'`, the default), or not (`'drop'`), or only the named keys; another user's never does. */
  signIn(userId: string, options?: { data?: 'keep' | 'drop' | readonly (keyof Data & string)[] }): Promise<void>
  /** Ends the session; with `everywhere`, every session of its user. Throws `EndPendingError` where the store did not take it: then it is over here, and the store is told when it is back. */
  signOut(options?: { everywhere?: boolean }): Promise<Durable>
  /** A new id for the same session. `previous: 'refused'` after a rise in privilege: the id before reaches nothing from now on, and handle and tokens change. */
  regenerateId(options?: { previous?: 'graced' | 'refused' }): Promise<void>
}

/** A session as `list` shows it. `data` is read-only. */
export interface SessionSummary<Data extends object> {
  readonly handle: string
  readonly createdAt: Date
  readonly signedInAt: Date
  /** At most one touch interval before the last request. */
  readonly lastSeenAt: Date | undefined
  readonly expiresAt: Date | undefined
  readonly data: Readonly<Data>
}

/** A place that log lines go to, such as a pino logger or `console`. */
export interface Log {
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** Bytes or text of at least 32 bytes. */
export type Secret = string | Uint8Array

/** One or several secrets: the first signs, all verify. Or apart, for a rolling change: add the new one to `verify` everywhere before it signs anywhere. */
export type Secrets = Secret | readonly Secret[] | { readonly sign: Secret; readonly verify: readonly Secret[] }

export type CsrfMode = 'auto' | 'strict' | 'report'

/** Bounds of what one session or request may use; crossing one is a `LimitError` that names it. */
export interface Limits {
  /** Bytes of a session's encoded data. Default 65 536. */
  readonly recordSize?: number | undefined
  /** Depth of nested objects and arrays in `data`. Default 32. */
  readonly depth?: number | undefined
  /** Bytes of a user id in UTF-8. Default and most: 255. */
  readonly userId?: number | undefined
  /** Bytes of a response held back while its session is being saved, besides what the application itself keeps waiting. Default 1 048 576. */
  readonly heldBody?: number | undefined
  /** Commits of one session waiting in this process. Default 1 000. */
  readonly queuedCommits?: number | undefined
  /** Ends that are kept until the store takes them, and ends that are remembered for a fail-over, each. Default 10 000. */
  readonly ends?: number | undefined
  /** Sessions of which a copy is kept for `serveStale`. The oldest go first. Default 10 000. */
  readonly copies?: number | undefined
  /** Bytes of those copies together. Default 16 777 216. */
  readonly copiedBytes?: number | undefined
  /** Bytes of a callback's fields that are passed on. Default 262 144. */
  readonly callback?: number | undefined
}

/** A callback that another site's page posts to us: OAuth `form_post`, SAML, 3-D Secure. */
export interface Callback {
  /** `'POST'`. */
  readonly method: string
  /** As the router sees it, exactly. */
  readonly path: string
  /** Whose pages post there. `'null'`: also those that hide their origin. `'*'`: anybody's, where there are too many to know them. */
  readonly origins: readonly string[]
}

/** Bounds of the near cache. */
export interface NearCacheOptions {
  /** How old a record may be that serves, whether the store has told of changes or could not. Default `'2s'`, at most a minute. */
  readonly maxAge?: Duration | undefined
  /** Sessions that are kept. Default 100 000. */
  readonly entries?: number | undefined
  /** Bytes of this process's memory that they may take, with what their data decode to and the cookies that are known. Default 67 108 864. */
  readonly bytes?: number | undefined
}

/** What every manager takes; see `docs/options.md`. Unknown options are an error. */
export interface BaseOptions {
  /** At least 32 bytes each. Needed in production, and wherever the store is a server. */
  readonly secret?: Secrets | undefined
  /** `'redis://…'`, `'lmdb:/path'`, `'memory:'`, or a store. Needed in production. */
  readonly store?: string | Store | undefined
  /** What browsers call this application: `https://shop.example`. Default: taken from each request. */
  readonly origin?: string | undefined
  /** Separates applications that share a store, a secret or a host. Letters, digits, `-` and `_`, at most 32. */
  readonly name?: string | undefined
  /** Time without a request after which a session ends. Default `'30m'`. Source: OWASP ASVS 7.3.1. */
  readonly idleTimeout?: Duration | undefined
  /** Time after sign-in (for a guest: after the first stored value) after which a session ends. Default `'12h'`. Source: OWASP ASVS 7.3.2. */
  readonly absoluteTimeout?: Duration | undefined
  /** Age at which an id is renewed by itself. Default `'1h'`. */
  readonly renewalTimeout?: Duration | undefined
  /** How long the previous id is still accepted once the new one has been presented. Default `'60s'`. */
  readonly graceTimeout?: Duration | undefined
  /** How long the slowest request may take: ended markers last this long. Default `'15m'`. */
  readonly maxRequestTime?: Duration | undefined
  /** How long any one call to the store may take. Default `'1s'`. */
  readonly storeDeadline?: Duration | undefined
  /** Default `'auto'`. */
  readonly csrf?: CsrfMode | undefined
  /** How cookies are sent. Default: `sameSite` is `'lax'`. Browsers take `'none'` over HTTPS only. */
  readonly cookie?: { readonly sameSite?: 'lax' | 'strict' | 'none' | undefined } | undefined
  /** Origins besides our own whose pages may post to us. */
  readonly trustedOrigins?: readonly string[] | undefined
  /** Whether `X-Forwarded-Proto` and `X-Forwarded-Host` come from our own proxy. Default `false`. */
  readonly trustProxy?: boolean | undefined
  readonly callbacks?: readonly Callback[] | undefined
  /** Sends cookies over plain HTTP off this machine. Default `false`. */
  readonly insecure?: boolean | undefined
  /** Top-level keys of `data` that merge as one unit. */
  readonly whole?: readonly string[] | undefined
  /** How many have to have a change before it counts as saved: the server that took it, or a replica too. Default `'primary'`. */
  readonly durability?: Durability | undefined
  /** How old a copy of a session may be that is served, to be read only, while the store does not answer. Default: none is. */
  readonly serveStale?: Duration | undefined
  /**
   * Whether records that this process read a moment ago may serve, where the store tells of changes: Redis does. Nobody
   * reads behind what he was shown or wrote himself; what others changed is seen as soon as the news arrives, and at the
   * latest after `maxAge`. Default `true`.
   */
  readonly nearCache?: boolean | NearCacheOptions | undefined
  /**
   * How many live sessions a user may have. `then`: what a sign-in beyond that does, which is to end the user's oldest by
   * sign-in (`'end-oldest'`, the default), or to throw a `LimitError` with status 409 (`'refuse'`). Default: no limit.
   */
  readonly maxPerUser?:
    | number
    | { readonly most: number; readonly then?: 'end-oldest' | 'refuse' | undefined }
    | undefined
  /** Ends the session when an id comes back after its grace. Default `false`: an event only. */
  readonly endOnTheft?: boolean | undefined
  readonly limits?: Limits | undefined
  readonly log?: Log | undefined
  /** The clock, in milliseconds since 1970; for tests. Default: a monotonic clock set by the store's. */
  readonly now?: (() => number) | undefined
}

/** What `data` is before anything is stored. Demanded where `Data` has required keys. */
export type InitialOption<Data extends object> =
  Record<never, never> extends Data ? { readonly initial?: (() => Data) | undefined } : { readonly initial: () => Data }

/** The shape of `data`, for servers with two versions of an application that serve the same sessions. */
export interface ShapeOption<Data extends object> {
  /**
   * The number of the present shape, from 1. Data of an older one go through `migrate`; those of a newer one are served to be
   * read only, with `status` `'stale'`. Default 1, which is also what data without a number are.
   */
  readonly version?: number | undefined
  /**
   * Makes of data of an older version those of the present one. Needed where `version` is more than 1. Synchronous and pure:
   * it runs when such data are read, perhaps several times; what it makes is stored with the next change.
   */
  readonly migrate?: Migrate<Data> | undefined
}

/** Of data as an older version has stored them, those of the present one. May say in its parameter what they were. */
export type Migrate<Data extends object> = { migrate(data: object, from: number): Data }['migrate']

/** Sessions of other libraries that are taken over. */
export interface AdoptOption<Data extends object> {
  /** Made by the functions of `holdfast/adopt`, such as `fromExpressSession({ … })`. Default: none. */
  readonly adopt?: readonly OldSessions<Data>[] | undefined
}

export type Options<Data extends object> = BaseOptions & InitialOption<Data> & ShapeOption<Data> & AdoptOption<Data>

/** The breaker before the store's reads or its writes: how often it has opened, and how many calls it has refused. */
export interface BreakerStats {
  readonly open: boolean
  readonly opened: number
  readonly refused: number
}

/** Ends that the store did not take at once, and ends that are remembered for a fail-over. */
export interface EndsStats {
  /** Not in the store yet. */
  readonly pending: number
  readonly remembered: number
  /** How many could not be written at once, how many went through later, how many of those because the store was replaced, and how many never did. */
  readonly kept: number
  readonly written: number
  readonly again: number
  readonly givenUp: number
  /** Of those that were written again: how many sessions were alive until then, because the store had lost their end. */
  readonly revived: number
}

/** Old sessions since the manager was made. */
export interface AdoptionStats {
  readonly adopted: number
  /** Requests that brought one which lives, or lived, and is not adopted (again). */
  readonly refused: number
  readonly ended: number
}

/** What the near cache has done since the manager was made. */
export interface NearCacheStats {
  /** Sessions that are kept now, and the bytes that they take. */
  readonly entries: number
  readonly bytes: number
  /** Requests that were served from it. */
  readonly hits: number
  /** Requests that waited for another's read of the same session. */
  readonly joined: number
  /** Reads of the store. */
  readonly reads: number
  /** Those of them whose changes the store could not tell of. */
  readonly untracked: number
  /** How often everything was dropped, because news may have been lost. */
  readonly flushed: number
}

/** What the CSRF check found, by reason. `docs/csrf.md` says how to read it. */
export interface CsrfStats {
  /** Requests that were judged: those that may change something. */
  readonly judged: number
  /** Those of them whose `Sec-Fetch-Site` was no value that we know. */
  readonly odd: number
  /** Answered with 403. */
  readonly refused: Readonly<Record<CsrfReason, number>>
  /** Let pass by `'auto'`, with a token that did not do. */
  readonly noted: Readonly<Record<CsrfReason, number>>
  /** Let pass by `'report'`. Under `auto`: what `'auto'` and `'strict'` would have refused. Under `strict`: what only `'strict'` would. */
  readonly reported: Readonly<Record<'auto' | 'strict', Readonly<Record<CsrfReason, number>>>>
}

/** Counts since the manager was made. */
export interface SessionsStats {
  readonly commits: Readonly<Record<CommitOutcome, number>>
  readonly conflicts: number
  readonly dropped: number
  /** Requests that the CSRF check refused, for whatever reason. */
  readonly csrfRefused: number
  readonly csrf: CsrfStats
  readonly storeCommands: number
  /** Changes that were stored, and not confirmed by the replicas that were asked for. */
  readonly unconfirmed: number
  /** Requests that were served a copy while the store failed. */
  readonly stale: number
  /** How often the store was found to have lost what it acknowledged: it had an older version of a session than a browser was shown, or than the id of one is of. */
  readonly lostWrites: number
  /** `undefined` where there is no near cache. */
  readonly nearCache: NearCacheStats | undefined
  readonly breakers: { readonly reads: BreakerStats; readonly writes: BreakerStats }
  readonly ends: EndsStats
  /** Where the option `adopt` is given. */
  readonly adoption: AdoptionStats | undefined
}

/** Whether the store answers: `ok` where reads and writes do. */
export interface Health {
  readonly store: string
  readonly ok: boolean
  readonly reads: boolean
  readonly writes: boolean
  readonly error?: string
}

/** The sessions of an application. */
export interface Sessions<Data extends object = RegisteredData> {
  /** The session of a request that the adapter has seen. Throws `NotMountedError`. */
  of(request: object): Session<Data>
  /** Resolves once the store answers; rejects at once for what no waiting mends, else after ten seconds. */
  ready(): Promise<void>
  /** The user's live sessions, newest first. */
  list(userId: string): Promise<SessionSummary<Data>[]>
  /** Ends one session of the user. Answers whether there was such a live session. Throws `EndPendingError` like `signOut`. */
  revoke(userId: string, handle: string): Promise<{ readonly ended: boolean } & Durable>
  /** Ends every session of the user whose sign-in was answered before this call. Answers how many. Throws `EndPendingError` like `signOut`. */
  revokeUser(userId: string, options?: { except?: string }): Promise<{ readonly ended: number } & Durable>
  /** Ends every session of the deployment: at once here, on other servers within five seconds. */
  revokeAll(): Promise<Durable>
  /** An exact read-modify-write of another session of the user. Throws `SessionEndedError` where there is none. */
  update<Result>(userId: string, handle: string, change: (data: Data) => Result): Promise<Result>
  stats(): SessionsStats
  health(): Promise<Health>
  /** Waits for commits and touches under way, then closes what it opened. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
