/** Contenders under load, interleaved: every round gives each of them its turn, so that all see the same machine. */
import type { Contender } from './contenders.ts'
import { type Running, start } from './contender.ts'
import { serve } from './load.ts'
import { tell } from './machine.ts'
import { median, medianRatio } from './statistics.ts'
import { does, KINDS, type Work } from './work.ts'

export interface Rounds {
  readonly rounds: number
  /** Seconds of each turn. */
  readonly seconds: number
  readonly connections: number
  /** Who sends the requests: each has a session, and they take turns. */
  readonly visitors: number
  /** Whether everybody has a turn first that is not counted. */
  readonly warmUp: boolean
}

/** What one contender did in one round. */
export interface Turn {
  /** Requests per second. */
  readonly rate: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Microseconds of processor time that the server's processes used for each request. */
  readonly server: number
  /** The same of Redis. */
  readonly redis: number
  /** How much of its core the load used. */
  readonly busy?: number
}

/** One contender in a comparison: the medians of its turns. */
export interface Standing extends Omit<Turn, 'busy'> {
  readonly id: string
  readonly name: string
  readonly base: string
  /** Requests per second of its slowest and its fastest round. */
  readonly least: number
  readonly most: number
  /** The median of the rounds' ratios to the bare framework's rate. */
  readonly ofBase: number
  readonly turns: readonly Turn[]
}

export interface Failure {
  readonly id: string
  readonly name: string
  readonly error: string
}

export interface Comparison {
  readonly part: 'throughput'
  readonly work: Work
  readonly title: string
  readonly note: string
  readonly processes: number
  readonly standings: readonly Standing[]
  /** Who did not do what is measured. They are in no table. */
  readonly failures: readonly Failure[]
}

/** Contenders whose servers run, and those that have failed. */
export class Field {
  readonly running: readonly Running[]
  readonly failures: Failure[] = []

  private constructor(running: readonly Running[], failures: readonly Failure[]) {
    this.running = running
    this.failures.push(...failures)
  }

  static async start(contenders: readonly Contender[], processes: number, visitors: number): Promise<Field> {
    const running: Running[] = []
    const failures: Failure[] = []
    for (const contender of contenders) {
      tell(`  starting ${contender.name}`)
      try {
        running.push(await start(contender, { visitors, processes }))
      } catch (error) {
        failures.push(failureOf(contender, error))
      }
    }
    return new Field(running, failures)
  }

  /** Runs something for each that has not failed, one after the other. Who fails is out, and it is told. */
  async each(of: readonly Running[], act: (running: Running) => Promise<void>): Promise<void> {
    for (const running of of) {
      if (this.failures.some(({ id }) => id === running.id)) continue
      try {
        await act(running)
      } catch (error) {
        this.failures.push(failureOf(running, error))
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.running.map((running) => running.stop()))
  }
}

function failureOf({ id, name }: Contender, error: unknown): Failure {
  const said = error instanceof Error ? error.message : String(error)
  tell(`  FAILED: ${name}: ${said}`)
  return { id, name, error: said }
}

/** Runs one comparison. */
export async function compare(field: Field, work: Work, processes: number, rounds: Rounds): Promise<Comparison> {
  const { title, note, prepare } = KINDS[work]
  const able = field.running.filter((contender) => does(contender, work))
  const turns = new Map<string, Turn[]>(able.map(({ id }) => [id, []]))
  await field.each(able, async (running) => {
    await prepare(running)
    if (rounds.warmUp) await turnOf(running, work, rounds)
  })
  for (let round = 0; round < rounds.rounds; round++) {
    await field.each(rotated(able, round), async (running) => {
      turns.get(running.id)?.push(await turnOf(running, work, rounds))
    })
    const rates = able.map(({ id }) => Math.round(turns.get(id)?.[round]?.rate ?? Number.NaN))
    tell(`  round ${round + 1} of ${rounds.rounds}: ${rates.join('  ')}`)
  }
  const whole = able.filter(({ id }) => turns.get(id)?.length === rounds.rounds)
  const standings = whole.map((running) => standingOf(running, turns))
  return { part: 'throughput', work, title, note, processes, standings, failures: [...field.failures] }
}

let turnsTaken = 0

/** Makes sure that the contender does its work, and measures it. */
async function turnOf(running: Running, work: Work, { seconds, connections }: Rounds): Promise<Turn> {
  const { requests, verify } = await KINDS[work].begin(running, turnsTaken++)
  const before = await usedBy(running)
  const served = await serve({ url: running.url, requests, seconds, connections })
  const after = await usedBy(running)
  await verify(served.requests)
  return {
    rate: served.rate,
    p50: served.p50,
    p99: served.p99,
    server: (after.server - before.server) / served.requests,
    redis: (after.redis - before.redis) / served.requests,
    ...(served.busy === undefined ? {} : { busy: served.busy }),
  }
}

/** Microseconds of processor time so far, of the server's processes and of its Redis. */
export async function usedBy({ used, store }: Running): Promise<{ server: number; redis: number }> {
  return { server: (await used()).processor, redis: await store.processor() }
}

function standingOf({ id, name, base }: Running, all: ReadonlyMap<string, readonly Turn[]>): Standing {
  const turns = all.get(id) ?? []
  const middle = (what: Exclude<keyof Turn, 'busy'>): number => median(turns.map((turn) => turn[what]))
  const rates = turns.map(({ rate }) => rate)
  const bases = (all.get(base) ?? []).map(({ rate }) => rate)
  return {
    id,
    name,
    base,
    rate: middle('rate'),
    least: Math.min(...rates),
    most: Math.max(...rates),
    ofBase: medianRatio(rates, bases),
    p50: middle('p50'),
    p99: middle('p99'),
    server: middle('server'),
    redis: middle('redis'),
    turns,
  }
}

/** Nobody is always the one after the busiest. */
export function rotated<Item>(items: readonly Item[], by: number): Item[] {
  return items.map((_, at) => items[(at + by) % items.length] as Item)
}
