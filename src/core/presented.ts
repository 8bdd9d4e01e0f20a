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
import { isVoid } from './expiry.ts'
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
  /** Whether a cookie names a secret that this server does not have (yet, or any more): neither forged nor ours. */
  readonly unknownKey: boolean
  /** The ranks of such cookies. */
  readonly unknownRanks: readonly Rank[]
}

const NONE: readonly GenuineId[] = []
const NOTHING_BROUGHT: readonly Rank[] = []

export function readPresented(services: Services, facts: RequestFacts): Presented {
  const transport = transportOf(services, facts)
  const names = namesOf(services.settings.name, transport)
  const values = readCookies(transport === 'none' ? undefined : headerOf(facts, 'cookie'), names)
  const ids: Record<Rank, readonly GenuineId[]> = { sid: NONE, gid: NONE, visit: NONE }
  let brought = NOTHING_BROUGHT
  let unknownRanks = NOTHING_BROUGHT
  for (const rank of RANKS) {
    if (values[rank].length === 0) continue
    brought = [...brought, rank]
    const read = genuine(services, rank, values[rank])
    ids[rank] = read.ids
    if (read.unknownKey) unknownRanks = [...unknownRanks, rank]
  }
  return { transport, names, brought, ids, unknownKey: unknownRanks.length > 0, unknownRanks }
}

function genuine(
  services: Services,
  rank: Rank,
  values: readonly string[],
): { ids: readonly GenuineId[]; unknownKey: boolean } {
  const ids: GenuineId[] = []
  let unknownKey = false
  for (const value of values) {
    const opened = services.cookies.open(rank, value)
    if ('id' in opened && !isVoid(opened.id.mintedAt, services.settings.timers, services.clock.now()))
      ids.push(opened.id)
    else if (channels.cookie.hasSubscribers)
      channels.cookie.publish({ cookie: rank, why: 'id' in opened ? 'expired' : opened.why })
    unknownKey ||= 'why' in opened && opened.why === 'unknown-key'
  }
  return { ids, unknownKey }
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
