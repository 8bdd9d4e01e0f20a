/** Contenders under load, interleaved: every round gives each of them its turn, so that all see the same machine. */
import { COMMON_HEADERS, start, type Contender, type Running } from './contender.ts'
import { serve, type Load } from './load.ts'
import { checkShared, checkSignedIn, checkStored, countedBy } from './sanity.ts'

export interface Rounds {
  readonly rounds: number
  /** Seconds of each turn. */
  readonly seconds: number
  readonly connections: number
  /** Who sends the requests: each has a session, and they take turns. */
  readonly visitors: number
}

/** What every request does: reads the session, or changes it once. */
export type Work = 'read' | 'change'

/** How each kind of request is sent. */
export const REQUESTS: Readonly<Record<Work, Pick<Load, 'method'> & { readonly path: string }>> = {
  read: { method: 'GET', path: '/' },
  change: { method: 'POST', path: '/count' },
}

/** What one contender did in one round. */
export interface Turn {
  /** Requests per second. */
  readonly rate: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Microseconds of processor time that the server used for each request. */
  readonly used: number
}

export interface Standing {
  readonly name: string
  /** One for each round. */
  readonly turns: readonly Turn[]
}

/** Runs the comparison. `tell` hears of progress. */
export async function compare(
  contenders: readonly Contender[],
  work: Work,
  rounds: Rounds,
  tell: (line: string) => void,
): Promise<Standing[]> {
  const running: Running[] = []
  try {
    for (const contender of contenders) running.push(await start(contender, rounds.visitors))
    if (work === 'change') for (const contender of running) await checkShared(contender)
    tell('warming up')
    for (const contender of running) await turnOf(contender, work, rounds)
    const table: Turn[][] = []
    for (let round = 0; round < rounds.rounds; round++) {
      const turns: Turn[] = []
      for (const at of rotated(running.length, round)) turns[at] = await turnOf(running[at] as Running, work, rounds)
      table.push(turns)
      tell(`round ${round + 1} of ${rounds.rounds}: ${turns.map(({ rate }) => Math.round(rate)).join('  ')}`)
    }
    return contenders.map(({ name }, column) => ({ name, turns: table.map((turns) => turns[column] as Turn) }))
  } finally {
    await Promise.all(running.map((contender) => contender.stop()))
  }
}

/** Makes sure that the contender does its work, and measures it. Every change that was answered has to be there afterwards. */
async function turnOf(running: Running, work: Work, { seconds, connections }: Rounds): Promise<Turn> {
  const changes = work === 'change' && running.setup.sessions !== 'bare'
  await checkSignedIn(running)
  if (changes) await checkStored(running)
  const counted = changes ? await countedBy(running) : 0
  const { method, path } = REQUESTS[work]
  const usedBefore = await running.used()
  const served = await serve({
    method,
    url: running.url + path,
    seconds,
    connections,
    headers: COMMON_HEADERS,
    cookies: running.cookies,
  })
  const used = ((await running.used()) - usedBefore) / served.requests
  if (changes) {
    const added = (await countedBy(running)) - counted
    if (added < served.requests) throw new Error(`${running.name}: ${added} of ${served.requests} changes were stored`)
  }
  return { rate: served.rate, p50: served.p50, p99: served.p99, used }
}

/** Nobody is always the one after the busiest. */
function rotated(count: number, by: number): number[] {
  return Array.from({ length: count }, (_, at) => (at + by) % count)
}

/** The median, over the rounds, of one contender's rate over another's in the same round. */
export function ratioOf(standing: Standing, base: Standing): number {
  return median(standing.turns.map(({ rate }, round) => rate / (base.turns[round]?.rate ?? Number.NaN)))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
