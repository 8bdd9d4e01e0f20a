/**
 * The history of a run: every request of every visitor with what was asked, when, and what came of it; what was done to
 * the deployment meanwhile; and what Holdfast itself reported. The checker reads nothing else. All times are milliseconds
 * since the run began, by one monotonic clock of the driving process.
 */

export interface History {
  readonly run: Run
  readonly operations: readonly Operation[]
  readonly faults: readonly FaultMark[]
  /** What the servers reported on Holdfast's channels. */
  readonly events: readonly ReportedEvent[]
  /** The lines of the ledger: what was really carried out at the ends of cycles. */
  readonly effects: readonly Effect[]
}

export type Target = 'holdfast' | 'express-session' | '@fastify/session'
export type StoreName = 'lmdb' | 'redis' | 'sentinel' | 'cluster'

/** What was run, with all that is needed to run it again. */
export interface Run {
  readonly scenario: string
  readonly target: Target
  /** What was taken out of our own code, to see that it is noticed. */
  readonly mutant?: string
  readonly store: StoreName
  readonly durability: 'primary' | 'replicated'
  /** Whether the kernel broke the lines between the servers of Redis: each was in a network namespace of its own. */
  readonly namespaces?: boolean | undefined
  readonly seed: number
  /** How long the visitors came. */
  readonly seconds: number
  readonly servers: readonly string[]
  readonly promises: Promises
  /** `node`, `holdfast`, `redis-server`, `haproxy` … with their versions. */
  readonly versions: Readonly<Record<string, string>>
}

/** What the deployment promises, in milliseconds. */
export interface Promises {
  /** A previous id is good for so long once the new one was presented. */
  readonly grace: number
  /** An answer comes within this, errors included. */
  readonly answer: number
  /** No read is older than this, whatever happens to the news of changes. */
  readonly staleness: number
}

export type Operation = { [K in Kind]: OperationOf<K> }[Kind]
export type Kind = keyof AskedBy

/** What is asked, by kind of operation. */
export interface AskedBy {
  /** A look at the session. `last`: when the visitors have gone home, to see what is left. */
  read: { readonly last?: boolean }
  /** Puts an item, of which there is one in the run, into the cart: several at once from one browser are usual. */
  add: { readonly item: string }
  /** The exact counter. */
  count: Record<never, never>
  /** Writes a number that grows with every write of this visit; each waits for the answer to the one before. */
  mark: { readonly mark: number }
  /** `from`: the guest's visit that it goes on, whose data go along. */
  'sign-in': { readonly user: string; readonly from?: string }
  /** A new id for the same session. */
  renew: Record<never, never>
  'sign-out': { readonly user: string; readonly everywhere: boolean }
  /** Gets a page with a form. */
  form: Record<never, never>
  /** Sends a form: `genuine` ones must be taken, others must not. */
  submit: { readonly form: 'genuine' | 'without a token' | 'another visitor’s token' | 'from another site' }
  /** Begins a cycle. */
  begin: { readonly cycle: string }
  /** Ends it; several at once are usual. */
  finish: { readonly cycle: string }
  /** A read with the cookies of before a renewal, a sign-in or an end: `of` is that operation. */
  replay: { readonly of: number; readonly because: 'renewed' | 'signed in' | 'ended' }
}

export interface OperationOf<K extends Kind> {
  /** Its place in `operations`. */
  readonly id: number
  readonly kind: K
  readonly asked: AskedBy[K]
  /** A jar of cookies. */
  readonly browser: string
  /**
   * What the application must take for one and the same visit: a new name with each sign-in and after each end. The
   * application keeps it in the session, as `owner`, so that another's data are known when seen.
   */
  readonly visit: string
  readonly began: number
  /** When the whole answer was there, or it was clear that none will come. */
  readonly ended: number
  /**
   * `acknowledged`: the answer says that it is done. `refused`: the answer says that nothing was done. `unknown`: anything
   * else, such as a connection that broke.
   */
  readonly outcome: 'acknowledged' | 'refused' | 'unknown'
  /** HTTP; 0 where no head came. */
  readonly status: number
  /** The error's code, `ERR_…`, or what broke the connection. */
  readonly code?: string
  /** Which server answered, with how often it was started: `A#3`. */
  readonly server?: string
  /** The session as the answer shows it: as it was loaded, with the change. */
  readonly seen?: Seen
  /** Of a sign-out: whether it was said to be as durable as it can be. */
  readonly durable?: boolean
  /** Of an end of a cycle: what came of it, and whether it was said to be a repetition. */
  readonly result?: string
  readonly repeated?: boolean
}

export interface Seen {
  /** Null: nobody is signed in. */
  readonly user: string | null
  readonly owner: string | null
  /** The session's public name. */
  readonly handle: string | null
  readonly cart: readonly string[]
  readonly count: number
  readonly mark: number
}

export interface FaultMark {
  /** Shown to people: `server A killed (kill -9)`. */
  readonly name: string
  readonly sort: FaultSort
  readonly began: number
  /** When it was undone, and all was whole again as far as could be seen. */
  readonly ended: number
}

/**
 * What a fault is to the visitors, which says what is excused. `kill`: requests that were under way when it began break, and
 * no others. `server`: requests break while it lasts. `outage`: the store cannot be asked for a while. `unwritable`: it takes
 * no changes, and what only reads goes on. `failover`: it cannot be asked, and a change that no replica had may be lost.
 * `forgets`: the store lost what it acknowledged. `none`: nothing is excused.
 */
export type FaultSort = 'kill' | 'server' | 'outage' | 'unwritable' | 'failover' | 'forgets' | 'none'

/** The channel of an event of ours: a server has ended whom nobody told to. */
export const ENDED = 'proof:ended'

export interface ReportedEvent {
  readonly at: number
  readonly server: string
  /** `holdfast:lost` … */
  readonly channel: string
  readonly detail: Readonly<Record<string, unknown>>
}

export interface Effect {
  readonly cycle: string
  readonly idempotencyKey: string
  readonly server: string
}
