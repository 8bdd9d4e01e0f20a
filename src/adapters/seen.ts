/** What is known of a request of node:http, and what holds its response. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Hold, type Forward, type SettlingVisit } from './held-response.ts'
import type { Mount } from './mount.ts'
import { isOutgoing } from './outgoing.ts'

/** What a route may say of its session. */
export interface RouteOptions {
  /** `false`: no session here, and no trip to the store. Default: the session is loaded where the browser has one. */
  readonly session?: false | undefined
  /** Whether the session is read from the store, whatever a cache has. Default `false`. */
  readonly fresh?: boolean | undefined
  /** `false`: a request to this route does not count as activity. Default `true`. */
  readonly touch?: boolean | undefined
  /**
   * `true`: the route signs out, so it is served also while the session cannot be read. Then `session.signOut()` works as
   * ever, and everything else of the session throws `StoreUnavailableError`. Default `false`: 503.
   */
  readonly signOut?: boolean | undefined
}

/** What a route says that says nothing. */
export const EVERY_ROUTE: RouteOptions = Object.freeze({
  session: undefined,
  fresh: undefined,
  touch: undefined,
  signOut: undefined,
})

/** What is known of a request besides what came with it. In one place, because a property of our own on a request costs something. */
export class Seen {
  /** What its route said before the managers saw it. */
  route: RouteOptions = EVERY_ROUTE
  /** The manager that saw it first. */
  first: Mount<object> | undefined
  /** What holds its response; nothing where it cannot be held (HTTP/2). */
  hold: Hold | undefined
  /** What keeps the session of a drop-in. */
  keeper: object | undefined
  /** Those after it; nearly always none. */
  #others: readonly Mount<object>[] = NO_OTHERS

  add(mounted: Mount<object>): void {
    if (this.first === undefined) this.first = mounted
    else this.#others = [...this.#others, mounted]
  }

  some(test: (mounted: Mount<object>) => boolean): boolean {
    return this.first !== undefined && (test(this.first) || this.#others.some(test))
  }

  all(): readonly Mount<object>[] {
    return this.first === undefined ? NO_OTHERS : [this.first, ...this.#others]
  }
}

const NO_OTHERS: readonly Mount<object>[] = Object.freeze([])

/** The same for the package as ES module and as CommonJS, which may meet on one request. */
const SEEN: unique symbol = Symbol.for('holdfast.seen')

interface SeenRequest extends IncomingMessage {
  [SEEN]?: Seen
}

/** What is known of the request; `undefined` where nothing is. */
export function seenOf(request: IncomingMessage): Seen | undefined {
  return (request as SeenRequest)[SEEN]
}

/** Notes something of the request. */
export function see(request: IncomingMessage): Seen {
  return ((request as SeenRequest)[SEEN] ??= new Seen())
}

/** How a response is held. `limit`: bytes of what is written after `write` answered `false`. */
export interface Holding {
  readonly limit: number
  readonly forward?: Forward | undefined
}

/** Holds the response for this visit, together with those that hold it already. Answers whether it can be held. */
export function holdResponse(
  seen: Seen,
  response: ServerResponse,
  visit: SettlingVisit,
  { limit, forward }: Holding,
): boolean {
  if (seen.hold !== undefined) seen.hold.join(visit, limit, forward)
  else if (isOutgoing(response)) seen.hold = new Hold(response, visit, limit, forward)
  return seen.hold !== undefined
}
