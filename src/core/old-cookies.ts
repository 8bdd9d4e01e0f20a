/** What a request brought of another library's sessions. */
import type { OldSessions, OldVisit } from './old-sessions.ts'
import { placeOf } from './session-id.ts'
import type { Selector } from './store.ts'

/** One old session that a browser brought. */
export interface Arrival {
  readonly source: OldSessions
  readonly visit: OldVisit
  /** Where what it becomes is kept. */
  readonly selector: Selector
}

/** Old sessions of one request are looked at up to this many: a browser brings one. */
const ARRIVALS_MOST = 4

/** The place depends on no secret, so that servers between an old one and a new one agree on it. */
export function successorPlace(name: string, source: OldSessions, id: string): Selector {
  return placeOf('holdfast adoption', [name, source.kind, source.cookieName, id])
}

export class OldCookies {
  /** Whether the browser is to forget its old cookies together with the id that takes their place. */
  replaced = false
  readonly #sources: readonly OldSessions[]
  readonly #header: string
  readonly #name: string
  readonly #now: number
  #arrivals: readonly Arrival[] | undefined

  /** `name`: the application's. `now` in milliseconds. */
  constructor(sources: readonly OldSessions[], header: string, name: string, now: number) {
    this.#sources = sources
    this.#header = header
    this.#name = name
    this.#now = now
  }

  /** Those that are genuine, which is known without asking any store. */
  get arrivals(): readonly Arrival[] {
    this.#arrivals ??= this.#sources
      .flatMap((source) => source.presented(this.#header, this.#now).map((visit) => this.#arrival(source, visit)))
      .slice(0, ARRIVALS_MOST)
    return this.#arrivals
  }

  /** `Set-Cookie` values that make the browser forget them all. */
  clearing(): readonly string[] {
    return this.#sources.flatMap((source) => source.clearing(this.#header))
  }

  #arrival(source: OldSessions, visit: OldVisit): Arrival {
    return { source, visit, selector: successorPlace(this.#name, source, visit.id) }
  }
}
