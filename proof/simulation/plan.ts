/**
 * A schedule: who does what and when, and everything that goes wrong. It is plain data, so it can be kept in a file, run
 * again, and made smaller. What it does not mention goes as it usually does.
 */
import { chance, type Chance } from '../visitors/random.ts'

export interface Schedule {
  /** Decides what is random in the servers: ids, nonces, stamps. */
  readonly seed: number
  readonly servers: number
  /** The browsers belong to so many users, in turn. */
  readonly users: number
  readonly nearCache: boolean
  readonly durability: 'primary' | 'replicated'
  /** In the order in which they come. */
  readonly deeds: readonly Deed[]
  readonly faults: readonly Fault[]
  /** Calls to the store that do not go as usual, by server and by their number there, such as `0.12`. */
  readonly calls: Readonly<Record<string, CallFate>>
  /** The same of the news of changes: how many milliseconds they take, or that they are lost. */
  readonly news: Readonly<Record<string, number | 'lost'>>
}

/** What a visitor does. */
export type Deed = {
  /** Milliseconds since the beginning. */
  readonly at: number
  /** Which browser, and to which server its request goes while that one is there. */
  readonly by: number
  readonly on: number
  /** Whether it is sent only when all that the browser sent before has been answered. */
  readonly waits: boolean
  /** How many milliseconds the answer takes to the browser; `'lost'`: it never comes. Default: 1. */
  readonly answer?: number | 'lost'
} & (
  | { readonly do: Simple }
  /** `back`: with the cookies of so many renewals, sign-ins and ends ago. */
  | { readonly do: 'replay'; readonly back: number }
  /** Sends the end of a cycle so many times at once, to one server after the other; its effect takes so many milliseconds. */
  | { readonly do: 'finish'; readonly times: number; readonly takes: number }
)

type Simple =
  | 'read'
  | 'read fresh'
  | 'add'
  | 'count'
  | 'mark'
  | 'form'
  | 'submit'
  | 'forge'
  | 'begin'
  | 'sign-in'
  | 'sign-out'
  | 'sign-out everywhere'
  | 'renew'

export type Fault = { readonly at: number } &
  /** A server dies, and is back after so many milliseconds. */
  (
    | { readonly what: 'crash'; readonly server: number; readonly lasts: number }
    /** The store loses its last writes, but none that a replica has. */
    | { readonly what: 'fail-over'; readonly writes: number }
    /** What is sent to the store is lost. `server`: only what comes from there. */
    | { readonly what: 'silence'; readonly lasts: number; readonly server?: number }
    /** The channel of the news breaks, and the server is told. */
    | { readonly what: 'cut'; readonly server: number }
  )

/** Milliseconds on the way there and back, 1 each by default, and what becomes of the call. */
export interface CallFate {
  readonly send?: number
  readonly answer?: number
  readonly fate?: Fate
}

/**
 * `request-lost` and `answer-lost`: nobody answers. `refused`: the connection breaks before the store has it. `broken`: it
 * breaks after. `unconfirmed`: no replica confirms the write in time.
 */
export type Fate = 'request-lost' | 'answer-lost' | 'refused' | 'broken' | 'unconfirmed'

/** How things go: nothing goes wrong, answers overtake each other, anything may happen. */
type Weather = 'calm' | 'slow' | 'stormy'

/** Calls of one server for which a fate is drawn. */
const CALLS_MOST = 70
/** When the first request comes, in milliseconds: servers have leases by then. */
const FIRST = 20

/** Makes a schedule of a seed. */
export function scheduleOf(seed: number): Schedule {
  const random = chance(seed)
  const servers = 2 + random.below(2)
  const weather = random.pick<Weather>([
    [2, 'calm'],
    [3, 'slow'],
    [3, 'stormy'],
  ])
  const deeds = deedsOf(random.fork(), { browsers: 1 + random.below(3), servers, weather })
  const over = deeds.at(-1)?.at ?? 0
  return {
    seed,
    servers,
    users: 1 + random.below(2),
    nearCache: random.next() < 0.7,
    durability: random.next() < 0.25 ? 'replicated' : 'primary',
    deeds,
    faults: weather === 'stormy' ? faultsOf(random.fork(), servers, over) : [],
    ...fatesOf(random.fork(), servers, weather),
  }
}

interface Setting {
  readonly browsers: number
  readonly servers: number
  readonly weather: Weather
}

const DEEDS: readonly (readonly [weight: number, choice: Deed['do']])[] = [
  [5, 'read'],
  [1, 'read fresh'],
  [6, 'add'],
  [4, 'count'],
  [2, 'mark'],
  [4, 'sign-in'],
  [2, 'renew'],
  [2, 'sign-out'],
  [0.7, 'sign-out everywhere'],
  [2, 'form'],
  [2, 'submit'],
  [0.4, 'forge'],
  [3, 'replay'],
  [1.5, 'begin'],
  [2, 'finish'],
]

const LEAVES_OLD_COOKIES: ReadonlySet<Deed['do']> = new Set(['sign-in', 'sign-out', 'sign-out everywhere', 'renew'])

function deedsOf(random: Chance, { browsers, servers, weather }: Setting): Deed[] {
  const deeds: Deed[] = []
  const together = random.next() * 0.7
  let at = FIRST
  for (let left = 6 + random.below(18); left > 0; left--) {
    const common = {
      at,
      by: random.below(browsers),
      on: random.below(servers),
      waits: random.next() < 0.4,
      ...(weather !== 'calm' && random.next() < 0.15 && { answer: random.below(1_200) }),
      ...(weather === 'stormy' && random.next() < 0.04 && { answer: 'lost' as const }),
    }
    const deed = deedOf(random, common)
    deeds.push(deed)
    if (LEAVES_OLD_COOKIES.has(deed.do) && random.next() < 0.5)
      deeds.push({ ...common, at: at + laterOf(random), on: random.below(servers), do: 'replay', back: 1 })
    // Once more, when a claim whose server died is over.
    if (deed.do === 'finish' && random.next() < 0.3)
      deeds.push({ ...deed, at: at + 4_000 + random.below(1_000), on: random.below(servers), times: 1 })
    at += random.next() < together ? random.below(4) : gapOf(random)
  }
  return deeds.toSorted((left, right) => left.at - right.at)
}

/** When somebody comes with cookies of before, in milliseconds: at once, or after the bound of the near cache, or after the grace. */
function laterOf(random: Chance): number {
  return random.pick([
    [2, random.below(300)],
    [2, 1_100 + random.below(800)],
    [1, 5_000 + random.below(1_500)],
  ])
}

function deedOf(random: Chance, common: Pick<Deed, 'at' | 'by' | 'on' | 'waits' | 'answer'>): Deed {
  const kind = random.pick(DEEDS)
  if (kind === 'replay') return { ...common, do: kind, back: 1 + random.below(3) }
  if (kind === 'finish')
    return { ...common, do: kind, times: 1 + random.below(3), takes: random.below(random.next() < 0.3 ? 600 : 30) }
  return { ...common, do: kind }
}

function gapOf(random: Chance): number {
  return random.pick([
    [6, random.below(80)],
    [3, random.below(2_000)],
    [0.4, 3_000 + random.below(4_000)],
  ])
}

function faultsOf(random: Chance, servers: number, over: number): Fault[] {
  return Array.from({ length: random.below(4) }, (): Fault => {
    const at = random.below(over + 50)
    const server = random.below(servers)
    const what = random.pick<Fault['what']>([
      [3, 'crash'],
      [2, 'fail-over'],
      [2, 'silence'],
      [2, 'cut'],
    ])
    switch (what) {
      case 'crash':
        return { at, what, server, lasts: 50 + random.below(1_000) }
      case 'fail-over':
        return { at, what, writes: 1 + random.below(8) }
      case 'silence':
        return { at, what, lasts: random.below(3_000), ...(random.next() < 0.5 && { server }) }
      case 'cut':
        return { at, what, server }
    }
  }).toSorted((left, right) => left.at - right.at)
}

const FATES: readonly (readonly [weight: number, choice: Fate])[] = [
  [1, 'request-lost'],
  [2, 'answer-lost'],
  [2, 'refused'],
  [4, 'broken'],
  [3, 'unconfirmed'],
]

function fatesOf(random: Chance, servers: number, weather: Weather): Pick<Schedule, 'calls' | 'news'> {
  const calls: Record<string, CallFate> = {}
  const news: Record<string, number | 'lost'> = {}
  const late = { calm: 0.25, slow: 0.4, stormy: 0.4 }[weather]
  for (let server = 0; server < servers; server++)
    for (let number = 0; number < CALLS_MOST; number++) {
      const name = `${server}.${number}`
      const fate: CallFate = {
        ...(random.next() < late && { send: delayOf(random, weather) }),
        ...(random.next() < late && { answer: delayOf(random, weather) }),
        ...(weather === 'stormy' && random.next() < 0.04 && { fate: random.pick(FATES) }),
      }
      if (Object.keys(fate).length > 0) calls[name] = fate
      if (weather !== 'calm' && random.next() < 0.3)
        news[name] = random.next() < 0.3 ? 'lost' : delayOf(random, weather)
    }
  return { calls, news }
}

function delayOf(random: Chance, weather: Weather): number {
  if (weather === 'calm' || random.next() < 0.7) return random.below(8)
  return random.below(random.next() < 0.9 ? 300 : 1_300)
}
