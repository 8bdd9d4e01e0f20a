/** Results as tables for people. */
import { tableOf } from '../proof/table.ts'
import type { Commands } from './commands.ts'
import type { Comparison } from './compare.ts'
import { type Contender, CONTENDERS } from './contenders.ts'
import { meaningOf } from './cores.ts'
import type { Latencies } from './latency.ts'
import { machineLine } from './machine.ts'
import type { Memory } from './memory.ts'
import { failuresOf, type Part, type Results } from './results.ts'
import type { Scale } from './scale.ts'
import { targetLines } from './targets.ts'

/** How often a median of the scaling run may be that of the smallest size. */
const SCALE_TARGET = 1.3
/** Commands of a request at most, by the kind of its work. */
const COMMAND_TARGETS = { read: 1, write: 2 } as const
/** The load is what was measured where its core is as busy as this. */
const BUSY = 0.95
/** What was due and not answered shows that the server did not keep up. */
const KEPT_UP = 0.98

/** Everything, with how it was measured. */
export function reportOf(results: Results): string {
  const parts = results.parts.map((part) => [...linesOf(part), ...failureLines(part)].join('\n'))
  return `${[...parts, conditionsOf(results).join('\n')].join('\n\n\n')}\n`
}

function linesOf(part: Part): string[] {
  switch (part.part) {
    case 'throughput':
      return throughputLines(part)
    case 'latency':
      return latencyLines(part)
    case 'memory':
      return memoryLines(part)
    case 'commands':
      return commandLines(part)
    case 'scale':
      return scaleLines(part)
  }
}

function failureLines(part: Part): string[] {
  return failuresOf(part).map(({ name, error }) => `FAILED, and in no table: ${name}: ${error}`)
}

function throughputLines(comparison: Comparison): string[] {
  const { work, title, note, processes, standings } = comparison
  const rows = standings.map((standing) => [
    standing.name,
    thousands(standing.rate),
    `${thousands(standing.least)} – ${thousands(standing.most)}`,
    standing.ofBase.toFixed(2),
    `${standing.p50.toFixed(2)} ms`,
    `${standing.p99.toFixed(2)} ms`,
    standing.server.toFixed(1),
    standing.redis === 0 ? '' : standing.redis.toFixed(1),
  ])
  const head = ['', 'requests/s', 'least – most', 'of bare', 'p50', 'p99', 'µs of server', 'µs of Redis']
  const busiest = Math.max(0, ...standings.flatMap(({ turns }) => turns.map(({ busy = 0 }) => busy)))
  const meaning = meaningOf(processes)
  return [
    `${work}, ${processes === 1 ? 'one server process' : `${processes} server processes`}: ${title}`,
    '',
    tableOf([head, ...rows]),
    '',
    ...targetLines(comparison),
    note,
    ...(meaning === undefined ? [] : [meaning]),
    ...(busiest > BUSY
      ? [`The load used up to ${busiest.toFixed(2)} of its core: the fastest are faster than that.`]
      : []),
  ]
}

function latencyLines({ rate, seconds, standings }: Latencies): string[] {
  const rows = standings.map(({ name, p50, p99, p999, most, rate: answered, server, redis }) => [
    name,
    `${p50.toFixed(2)} ms`,
    `${p99.toFixed(2)} ms`,
    `${p999.toFixed(2)} ms`,
    `${most.toFixed(2)} ms`,
    server.toFixed(1),
    redis === 0 ? '' : redis.toFixed(1),
    answered < rate * KEPT_UP ? `only ${thousands(answered)} answered` : '',
  ])
  const head = ['', 'p50', 'p99', 'p99.9', 'most', 'µs of server', 'µs of Redis', '']
  return [
    `latency: reads at ${thousands(rate)} requests/s, one server process`,
    '',
    tableOf([head, ...rows]),
    '',
    'An open loop: each request is due at its moment, whatever became of those before, and its latency counts from then.',
    `Medians of the rounds, of which each has its own percentiles, of ${thousands(rate * seconds)} requests.`,
  ]
}

function memoryLines({ sessions, standings }: Memory): string[] {
  const rows = standings.map(({ name, store, kept, resident, cookie }) => [
    name,
    store === null ? '–' : store.toFixed(0),
    kept.toFixed(0),
    resident.toFixed(0),
    String(cookie),
  ])
  return [
    'memory: bytes of one session',
    '',
    tableOf([['', 'in the store', 'in the process', 'resident', 'in the cookie'], ...rows]),
    '',
    `Of ${thousands(sessions)} sessions, each of another user, signed in and read once. Store: used_memory of Redis, or what LMDB's files have allocated, indexes included.`,
    'Process: heap and buffers after a collection; resident: as the system counts it, with what was freed and not given back. Cookie: what the browser sends with each request.',
    'A cache with a bound counts here until it is full: of more sessions (--sessions 100000) each takes less of the process.',
  ]
}

function commandLines({ rows, requests, visitors }: Commands): string[] {
  const cells = rows.map(({ name, work, perRequest, commands, inScripts, housekeeping }) => [
    name,
    work,
    perRequest.toFixed(3),
    listed(commands),
    listed(inScripts),
    String(housekeeping),
  ])
  const head = ['', 'work', 'sent per request', 'which', 'what its script does', 'housekeeping, in all']
  const ours = rows.filter(({ id }) => id.includes('holdfast'))
  return [
    'commands: what a request sends to Redis',
    '',
    tableOf([head, ...cells]),
    '',
    ...ours.map(({ name, work, perRequest }) => {
      const target = COMMAND_TARGETS[work]
      const verdict = perRequest <= target ? 'met' : 'missed'
      return `Target: ${name} sends at most ${target} for a ${work}. It sends ${perRequest.toFixed(3)}: ${verdict}.`
    }),
    `Counted at the server with MONITOR, over ${thousands(requests)} requests of ${visitors} visitors whom the server process had seen before.`,
    'Housekeeping is on no key of a session. Not in these requests: once for each session, server process and tenth of the idle',
    "timeout, Holdfast moves the session's deadline, and looks whether its user was revoked. Two commands for which nobody waits.",
  ]
}

function listed(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([command, share]) => (Math.abs(share - 1) < 0.0005 ? command : `${share.toFixed(3)} ${command}`))
    .join(' + ')
}

function scaleLines({ lines, rounds, sessionsEach, memory }: Scale): string[] {
  const rows = lines.map(({ operation, sessions, median, p99, ratio, p99Ratio }) => [
    operation,
    thousands(sessions),
    `${median.toFixed(3)} ms`,
    ratio.toFixed(2),
    `${p99.toFixed(3)} ms`,
    p99Ratio.toFixed(2),
  ])
  const head = ['', 'sessions', 'median', 'of the smallest', 'p99', 'of the smallest']
  const worst = lines.reduce((most, line) => (line.ratio > most.ratio ? line : most))
  const verdict = worst.ratio <= SCALE_TARGET ? 'met' : 'missed'
  return [
    `scale: one call on the sessions in one Redis, ${sessionsEach} to a user`,
    '',
    tableOf([head, ...rows]),
    '',
    `Target: no median more than ${SCALE_TARGET} × that of the smallest. The most is ${worst.ratio.toFixed(2)}, ${worst.operation} at ${thousands(worst.sessions)}: ${verdict}.`,
    `load and replace: calls of the store; list and revokeUser: of the application, each for one user with ${sessionsEach} sessions. One call after the`,
    `other, on sessions and users by chance. Medians of ${rounds} interleaved rounds; p99 over all rounds. Each size in a redis-server of its own.`,
    `Redis: ${memory.map(({ sessions, megabytes }) => `${thousands(sessions)} in ${Math.round(megabytes)} MB`).join(', ')}, indexes and all.`,
  ]
}

/** How it was measured, what everybody is, and on what. */
function conditionsOf({ rounds, pinning, machine, versions, command, date, parts }: Results): string[] {
  const { rounds: count, seconds, connections, visitors } = rounds
  const shown = new Set(parts.flatMap((part) => ('standings' in part ? part.standings.map(({ id }) => id) : [])))
  return [
    `${count === 1 ? `One round of ${seconds} s: it shows that everything runs, not how fast.` : `Medians of ${count} interleaved rounds of ${seconds} s; a ratio is the median of the rounds' ratios.`} ${connections} connections kept alive; ${visitors} visitors, each signed in, take turns.`,
    'µs: processor time of the server’s processes, and of Redis, for each request, whatever else the machine did.',
    'All: the same routes, data and load; cookies HttpOnly, Secure, SameSite=Lax. Each Redis is over TCP and keeps nothing on disk.',
    '',
    ...notesOf(CONTENDERS.filter(({ id }) => shown.has(id))),
    '',
    `${pinning}.`,
    `${machineLine(machine)}. ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    `${command}, ${date}`,
  ]
}

/** What each of them does and does not do; a note that several share once. */
function notesOf(contenders: readonly Contender[]): string[] {
  const names = new Map<string, string[]>()
  for (const { name, note } of contenders) if (note !== undefined) names.set(note, [...(names.get(note) ?? []), name])
  return [...names].map(([note, of]) => `${of.join('; ')}: ${note}`)
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en').replaceAll(',', ' ')
}
