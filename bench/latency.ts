/** How long visitors wait at a rate that every contender bears: the same for all. */
import path from 'node:path'

import { PROJECT } from '../proof/peers.ts'
import { type Failure, type Field, rotated, type Rounds, usedBy } from './compare.ts'
import type { Running } from './contender.ts'
import { run } from './load.ts'
import { tell } from './machine.ts'
import { rawOf } from './request.ts'
import { median, percentile } from './statistics.ts'
import type { SteadyLoad, SteadyResult } from './steady-load.ts'
import { KINDS } from './work.ts'

export interface LatencyTurn {
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly most: number
  /** Answers per second. */
  readonly rate: number
  /** Microseconds of processor time for each request. */
  readonly server: number
  readonly redis: number
}

export interface LatencyStanding extends LatencyTurn {
  readonly id: string
  readonly name: string
  readonly base: string
  readonly turns: readonly LatencyTurn[]
}

export interface Latencies {
  readonly part: 'latency'
  /** Requests per second that were due. */
  readonly rate: number
  /** Of each turn. */
  readonly seconds: number
  readonly standings: readonly LatencyStanding[]
  readonly failures: readonly Failure[]
}

/** A read at a fixed rate, in interleaved rounds. */
export async function measureLatencies(field: Field, rate: number, rounds: Rounds): Promise<Latencies> {
  const turns = new Map<string, LatencyTurn[]>(field.running.map(({ id }) => [id, []]))
  const warmUp = rounds.warmUp ? field.running : []
  await field.each(warmUp, async (running) => void (await turnAt(running, rate, { ...rounds, seconds: 1 })))
  for (let round = 0; round < rounds.rounds; round++) {
    await field.each(rotated(field.running, round), async (running) => {
      turns.get(running.id)?.push(await turnAt(running, rate, rounds))
    })
    const p99s = field.running.map(({ id }) => (turns.get(id)?.[round]?.p99 ?? Number.NaN).toFixed(2))
    tell(`  round ${round + 1} of ${rounds.rounds}: p99 ${p99s.join('  ')}`)
  }
  const whole = field.running.filter(({ id }) => turns.get(id)?.length === rounds.rounds)
  const standings = whole.map((running) => standingOf(running, turns.get(running.id) ?? []))
  return { part: 'latency', rate, seconds: rounds.seconds, standings, failures: [...field.failures] }
}

async function turnAt(running: Running, rate: number, { seconds, connections }: Rounds): Promise<LatencyTurn> {
  const { requests } = await KINDS.read.begin(running, 0)
  const port = Number(new URL(running.url).port)
  const load: SteadyLoad = { port, requests: requests.map(rawOf), rate, seconds, connections }
  const before = await usedBy(running)
  const { output } = await run(
    [process.execPath, path.join(PROJECT, 'build/bench/constant-rate.js')],
    seconds,
    JSON.stringify(load),
  )
  const after = await usedBy(running)
  const { latencies, rate: answered } = JSON.parse(output) as SteadyResult
  return {
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    p999: percentile(latencies, 0.999),
    most: percentile(latencies, 1),
    rate: answered,
    server: (after.server - before.server) / latencies.length,
    redis: (after.redis - before.redis) / latencies.length,
  }
}

function standingOf({ id, name, base }: Running, turns: readonly LatencyTurn[]): LatencyStanding {
  const middle = (what: keyof LatencyTurn): number => median(turns.map((turn) => turn[what]))
  return {
    id,
    name,
    base,
    p50: middle('p50'),
    p99: middle('p99'),
    p999: middle('p999'),
    most: middle('most'),
    rate: middle('rate'),
    server: middle('server'),
    redis: middle('redis'),
    turns,
  }
}
