/** Many cycles at once, with or without servers that die; what came out is held against the ledger. */
import { setTimeout as pause } from 'node:timers/promises'

import type { Entry } from './ledger.ts'
import { HALT, openStage, type Stage, type StoreName } from './stage.ts'
import { goThrough, type Submission } from './visitor.ts'

export interface Trial {
  readonly store: StoreName
  readonly cycles: number
  /** Whether servers are killed at random moments meanwhile, and now and then stand still for longer than the lease. */
  readonly killing: boolean
}

export interface Figures {
  readonly cycles: number
  readonly submissions: number
  readonly servers: Readonly<Record<string, number>>
  readonly killed: number
  readonly halted: number
  readonly effects: number
  /** Duplicates that got the first one's outcome. */
  readonly repeated: number
  readonly busy: number
  readonly lost: number
  /** Cycles in doubt: whether the effect has happened, the ledger knows. */
  readonly doubtHappened: number
  readonly doubtNot: number
  /** Milliseconds until the last of a cycle's submissions had its outcome, at most. */
  readonly longest: number
  /** In words, one for each rule that was broken. */
  readonly violations: readonly string[]
}

interface Course {
  readonly name: string
  readonly submissions: readonly Submission[]
}

const AT_ONCE = 16
const COPIES = [2, 3, 4, 5] as const
/** How long a final step works before and after its effect: when servers are killed, long enough to be hit. */
const WORK = { calm: 20, killing: 120 } as const
/** Between two disasters, in milliseconds. */
const RESPITE = 400
/** How many of them are no deaths. */
const HALTS = 0.15

export async function runTrial({ store, cycles, killing }: Trial): Promise<Figures> {
  const stage = await openStage(store, killing ? WORK.killing : WORK.calm)
  try {
    const courses: Course[] = []
    const visitors = visit(stage, cycles, courses)
    const disasters = killing ? keepKilling(stage, visitors) : { killed: 0, halted: 0 }
    await visitors
    return figuresOf(courses, await stage.entries(), { killing, ...(await disasters) })
  } finally {
    await stage.close()
  }
}

async function visit(stage: Stage, cycles: number, courses: Course[]): Promise<void> {
  let next = 0
  const visitor = async (): Promise<void> => {
    while (next < cycles) {
      const name = `cycle-${next++}`
      const copies = COPIES[Math.floor(Math.random() * COPIES.length)] ?? 2
      courses.push({ name, submissions: await goThrough(stage.origin, name, copies) })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, visitor))
}

/** Never both servers at once: the next one dies when the one before is back. */
async function keepKilling(stage: Stage, visitors: Promise<void>): Promise<{ killed: number; halted: number }> {
  const over = new AbortController()
  const note = (): void => over.abort()
  visitors.then(note, note)
  const count = { killed: 0, halted: 0 }
  while (!over.signal.aborted) {
    await pause(Math.random() * RESPITE)
    const at = Math.random() < 0.5 ? 0 : 1
    if (Math.random() < HALTS) {
      await stage.haltServer(at, HALT)
      count.halted++
    } else {
      await stage.replaceServer(at)
      count.killed++
    }
  }
  return count
}

function figuresOf(
  courses: readonly Course[],
  entries: readonly (Entry & { readonly number: number })[],
  { killing, killed, halted }: { killing: boolean; killed: number; halted: number },
): Figures {
  const submissions = courses.flatMap((course) => course.submissions)
  const byCycle = new Map<string, (typeof entries)[number][]>()
  for (const entry of entries) byCycle.set(entry.cycle, [...(byCycle.get(entry.cycle) ?? []), entry])
  const doubtful = courses.filter((course) => course.submissions.some(({ outcome }) => outcome.what === 'in-doubt'))
  const sum = (of: (submission: Submission) => number): number => submissions.reduce((all, one) => all + of(one), 0)
  const servers: Record<string, number> = {}
  for (const { server } of submissions) if (server !== undefined) servers[server] = (servers[server] ?? 0) + 1
  return {
    cycles: courses.length,
    submissions: submissions.length,
    servers,
    killed,
    halted,
    effects: entries.length,
    repeated: sum(({ outcome }) => (outcome.what === 'done' && outcome.repeated ? 1 : 0)),
    busy: sum(({ busy }) => busy),
    lost: sum(({ lost }) => lost),
    doubtHappened: doubtful.filter(({ name }) => byCycle.has(name)).length,
    doubtNot: doubtful.filter(({ name }) => !byCycle.has(name)).length,
    longest: Math.max(...submissions.map(({ lasted }) => lasted)),
    violations: courses.flatMap((course) => complaintsAbout(course, byCycle.get(course.name) ?? [], killing)),
  }
}

function complaintsAbout(
  { name, submissions }: Course,
  entries: readonly (Entry & { readonly number: number })[],
  killing: boolean,
): string[] {
  const complaints: string[] = []
  const complain = (what: string): void => void complaints.push(`${name}: ${what}`)
  const outcomes = submissions.map(({ outcome }) => outcome)
  const done = outcomes.filter((outcome) => outcome.what === 'done')
  const numbers = entries.map(({ number }) => number)
  if (entries.length > 1) complain(`${entries.length} effects`)
  if (!done.every(({ entry }) => numbers.includes(entry))) complain('a result that is not in the ledger')
  if (done.filter(({ repeated }) => !repeated).length > 1)
    complain('two submissions were told that theirs was the first')
  for (const outcome of outcomes) {
    if (outcome.what === 'stuck') complain('nobody said what became of it')
    if (outcome.what === 'unexpected') complain(`answered ${outcome.status} ${outcome.code}`)
    if (outcome.what === 'in-doubt' && !killing) complain('in doubt, though no server died')
  }
  if (!killing && entries.length !== 1) complain(`${entries.length} effects, though no server died`)
  return complaints
}
