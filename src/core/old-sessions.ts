/** What the core asks of the sessions of another library, so that it can take them over. `compat/adopt` makes these. */

/** What an old session becomes. */
export interface Adopted<Data extends object = object> {
  /** What `session.data` begins with; what it lacks is taken from `initial`. */
  readonly data: Data
  /** Whom the old session had signed in. */
  readonly user?: string | undefined
  /** When that was. Where it is not known, the session counts as older than any revocation, and else as signed in now. */
  readonly signedInAt?: Date | undefined
  /** Names of what is left behind, for the log. */
  readonly dropped?: readonly string[] | undefined
}

/** One old session, as a browser brought it with a genuine cookie. */
export interface OldVisit {
  /** What names it: nobody but its browser, and its store, knows this. */
  readonly id: string
  /** Reads it. `undefined`: it is over. Rejects where its store fails. */
  load(): Promise<object | undefined>
}

/** An old record as its store has it, with its cookie. */
export type OldRecord = Readonly<Record<string, unknown>>

/** A session as old servers are to find it. */
export interface Mirrored<Data extends object = object> {
  readonly data: Data
  readonly user: string | undefined
  readonly signedInAt: Date | undefined
}

/** How old records are kept up to date, while old servers serve the same visitors. Each rejects where the store fails. */
export interface OldRecords {
  /** `undefined`: there is none, or it is over. */
  load(id: string): Promise<OldRecord | undefined>
  /** Its life begins anew. */
  write(id: string, record: OldRecord): Promise<void>
  /** The same, where it has not changed. */
  touch(id: string, record: OldRecord): Promise<void>
  /** The cookie of a record that begins here. */
  newCookie(): object
  /** The members that a session has there, without the cookie. */
  membersOf(session: Mirrored, old: object): object
  /** The complete `Set-Cookie` value that brings its browser the id. */
  cookieFor(id: string, record: OldRecord): string
}

/**
 * Sessions of another library, for the option `adopt`. Made by `fromExpressSession`, `fromFastifySession`,
 * `fromIronSession` and `fromCookieSession` of `holdfast/adopt`; its members are not for applications.
 */
export interface OldSessions<Data extends object = object> {
  /** Which library's they are. Enters the place of what they become, as the cookie's name does. */
  readonly kind: string
  readonly cookieName: string
  /** What becomes of an old session that was adopted. */
  readonly source: 'end' | 'leave'
  /** Milliseconds for which it is remembered what was adopted. */
  readonly lifetime: number
  /** The genuine ones in a `Cookie` header, whether or not their sessions live. `now` in milliseconds. */
  presented(header: string, now: number): readonly OldVisit[]
  /** What it becomes. `undefined`: nothing that is worth a session. */
  adopted(old: object): Adopted<Data> | undefined
  /** Complete `Set-Cookie` values that clear its cookies, as far as the header has them. */
  clearing(header: string): readonly string[]
  /** Where new servers keep the old records up to date. */
  readonly records?: OldRecords | undefined
  /** Ends one. Missing where the cookie is all there is. Rejects where the store fails. */
  readonly end?: ((id: string) => Promise<void>) | undefined
  /** Asks the store for something harmless. Rejects where it fails. */
  readonly probe?: (() => Promise<unknown>) | undefined
}
