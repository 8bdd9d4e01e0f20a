/** What a browser brought: which of its cookies we minted, and how cookies may travel back. */
import { requestOrigin } from '../csrf/origin.ts'
import * as channels from '../telemetry/channels.ts'
import {
  cookieNames,
  RANKS,
  readCookies,
  type CookieNames,
  type GenuineId,
  type Rank,
  type Transport,
} from './cookie.ts'
import { BoundedMap } from './bounded-map.ts'
import { isVoid } from './expiry.ts'
import { isFloor, type Floor } from './floor.ts'
import { isLoopback } from './options.ts'
import { headerOf, type RequestFacts } from './request.ts'
import type { Services } from './services.ts'

/** The cookies of one request. */
export interface Presented {
  readonly transport: Transport
  readonly names: CookieNames
  /** Ranks under which anything came at all. */
  readonly brought: readonly Rank[]
  readonly ids: Readonly<Record<Rank, readonly GenuineId[]>>
  /** What the browser was shown of sessions, as the companion cookie says. */
  readonly floors: readonly Floor[]
  /** Whether a cookie names a secret that this server does not have (yet, or any more): neither forged nor ours. */
  readonly unknownKey: boolean
  /** The ranks of such cookies. */
  readonly unknownRanks: readonly Rank[]
  /** The one id of a session, where there is one and no doubt. */
  readonly only: GenuineId | undefined
  /** The visitor's id, where there is one. */
  readonly visitor: GenuineId | undefined
}

const NONE: readonly GenuineId[] = []
const NO_FLOORS: readonly Floor[] = []
const NOTHING_BROUGHT: readonly Rank[] = []

export function readPresented(services: Services, facts: RequestFacts): Presented {
  const transport = transportOf(services, facts)
  const header = transport === 'none' ? undefined : headerOf(facts, 'cookie')
  if (header === undefined) return new Cookies(transport, namesOf(services.settings.name, transport))
  const known = services.presented.of(transport, header)
  if (known !== undefined && Math.floor(services.clock.now() / 1000) < known.goodUntil) return known
  const read = readHeader(services, transport, header)
  services.presented.keep(transport, header, read)
  return read
}

class Cookies implements Presented {
  readonly transport: Transport
  readonly names: CookieNames
  readonly ids: Record<Rank, readonly GenuineId[]> = { sid: NONE, gid: NONE, visit: NONE }
  floors: readonly Floor[] = NO_FLOORS
  brought: readonly Rank[] = NOTHING_BROUGHT
  unknownRanks: readonly Rank[] = NOTHING_BROUGHT
  only: GenuineId | undefined
  visitor: GenuineId | undefined
  /** In whole seconds, until when all of it is as good as now: a small integer stands in the object itself. */
  goodUntil = 0
  /** Whether a value came that is neither id nor floor. */
  refused = false

  constructor(transport: Transport, names: CookieNames) {
    this.transport = transport
    this.names = names
  }

  get unknownKey(): boolean {
    return this.unknownRanks.length > 0
  }
}

function readHeader(services: Services, transport: Transport, header: string): Cookies {
  const cookies = new Cookies(transport, namesOf(services.settings.name, transport))
  const values = readCookies(header, cookies.names)
  for (const rank of RANKS) {
    if (values[rank].length === 0) continue
    cookies.brought = [...cookies.brought, rank]
    const read = genuine(services, rank, values[rank])
    cookies.ids[rank] = read.ids
    if (read.floors !== undefined) cookies.floors = read.floors
    if (read.ids.length + (read.floors?.length ?? 0) < values[rank].length) cookies.refused = true
    if (read.unknownKey) cookies.unknownRanks = [...cookies.unknownRanks, rank]
  }
  const { sid, gid, visit } = cookies.ids
  if (sid.length + gid.length === 1 && !cookies.unknownKey) cookies.only = sid[0] ?? gid[0]
  cookies.visitor = visit[0]
  const minted = [...sid, ...gid, ...visit].map(({ mintedAt }) => mintedAt)
  cookies.goodUntil = Math.floor((Math.min(...minted) + services.settings.timers.absolute) / 1000)
  return cookies
}

/** Bytes of the headers that are kept, where nothing else is said, and the longest of them. */
const HEADERS_MOST = 4 * 1024 * 1024
const HEADER_MOST = 4_096
/** What an entry costs besides its header, about. */
const OVERHEAD = 600

/** What a browser sends with every request is read once: whole headers in which every cookie of ours was genuine. */
export class PresentedCookies {
  readonly #known: Readonly<Record<Transport, BoundedMap<string, Cookies>>>

  constructor(bytesMost: number = HEADERS_MOST) {
    const map = (): BoundedMap<string, Cookies> =>
      new BoundedMap(bytesMost, (_, header) => 2 * header.length + OVERHEAD)
    this.#known = { host: map(), plain: map(), none: map() }
  }

  of(transport: Transport, header: string): Cookies | undefined {
    return this.#known[transport].get(header)
  }

  keep(transport: Transport, header: string, cookies: Cookies): void {
    if (cookies.refused || cookies.brought.length === 0 || header.length > HEADER_MOST) return
    this.#known[transport].set(header, cookies)
  }
}

interface Genuine {
  readonly ids: readonly GenuineId[]
  readonly floors: readonly Floor[] | undefined
  readonly unknownKey: boolean
}

function genuine(services: Services, rank: Rank, values: readonly string[]): Genuine {
  const ids: GenuineId[] = []
  let floors: Floor[] | undefined
  let unknownKey = false
  for (const value of values) {
    if (rank === 'visit' && isFloor(value)) {
      const opened = services.cookies.openFloor(value)
      if ('floor' in opened) floors = [...(floors ?? []), opened.floor]
      // Whoever made it: it opens nothing, so nothing hangs on whether it can be read.
      else refused(rank, opened.why)
      continue
    }
    const opened = services.cookies.open(rank, value)
    if ('id' in opened && !isVoid(opened.id.mintedAt, services.settings.timers, services.clock.now()))
      ids.push(opened.id)
    else refused(rank, 'id' in opened ? 'expired' : opened.why)
    unknownKey ||= 'why' in opened && opened.why === 'unknown-key'
  }
  return { ids, floors, unknownKey }
}

function refused(cookie: Rank, why: string): void {
  if (channels.cookie.hasSubscribers) channels.cookie.publish({ cookie, why })
}

const NAMES = new Map<string, CookieNames>()

function namesOf(name: string, transport: Transport): CookieNames {
  const known = NAMES.get(`${transport} ${name}`)
  if (known !== undefined) return known
  const names = cookieNames(name, transport)
  NAMES.set(`${transport} ${name}`, names)
  return names
}

/** With HTTPS the `__Host-` prefix; without it only on this machine itself, outside production, and with nobody in between. */
function transportOf(services: Services, facts: RequestFacts): Transport {
  const { origin, trustProxy, insecure, production } = services.settings
  if (origin !== undefined) return origin.startsWith('https:') ? 'host' : 'plain'
  const own = requestOrigin(facts, trustProxy)
  if (own?.startsWith('https:') === true) return 'host'
  if (insecure) return 'plain'
  const local = own !== undefined && isLoopback(own.slice('http://'.length))
  return local && !production && !isForwarded(facts) ? 'plain' : 'none'
}

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'] as const

/** Whether somebody in between says so. */
export function isForwarded(facts: RequestFacts): boolean {
  return FORWARDED.some((name) => facts.headers[name] !== undefined)
}
