/** Makes a schedule smaller for as long as it shows the same: what is left is what it takes. */
import type { Schedule } from './plan.ts'

/** Whether a schedule still shows what the first one did. */
export type Shows = (schedule: Schedule) => Promise<boolean>

/** How many schedules are tried at most. */
const TRIED_MOST = 4_000

/** The smallest schedule that was found, by taking parts away: it may be one of several. */
export async function shrink(schedule: Schedule, shows: Shows): Promise<Schedule> {
  let tried = 0
  let smallest = schedule
  const accept = async (smaller: Schedule): Promise<boolean> => {
    if (tried++ >= TRIED_MOST || !(await shows(smaller))) return false
    smallest = smaller
    return true
  }
  for (let size = Number.POSITIVE_INFINITY; sizeOf(smallest) < size;) {
    size = sizeOf(smallest)
    await thinOut(Object.entries(smallest.calls), (calls) => accept({ ...smallest, calls: Object.fromEntries(calls) }))
    await thinOut(Object.entries(smallest.news), (news) => accept({ ...smallest, news: Object.fromEntries(news) }))
    await thinOut(smallest.faults, (faults) => accept({ ...smallest, faults }))
    await thinOut(smallest.deeds, (deeds) => accept({ ...smallest, deeds }))
    await plain(smallest, accept)
  }
  return smallest
}

/** Takes away halves, quarters and so on, down to single ones. */
async function thinOut<Part>(
  parts: readonly Part[],
  accept: (parts: readonly Part[]) => Promise<boolean>,
): Promise<void> {
  let left = parts
  for (let length = left.length; length >= 1; length = Math.floor(length / 2))
    for (let at = 0; at < left.length;) {
      const without = [...left.slice(0, at), ...left.slice(at + length)]
      if (await accept(without)) left = without
      else at += length
    }
}

/** Lets things go as they usually do: near cache, durability, answers, and the number of servers. */
async function plain(schedule: Schedule, accept: (schedule: Schedule) => Promise<boolean>): Promise<void> {
  let now = schedule
  const change = async (changes: Partial<Schedule>): Promise<void> => {
    if (await accept({ ...now, ...changes })) now = { ...now, ...changes }
  }
  if (now.servers > 2) await change({ servers: 2 })
  if (now.nearCache) await change({ nearCache: false })
  if (now.durability === 'replicated') await change({ durability: 'primary' })
  for (const [at, deed] of now.deeds.entries()) {
    const { answer, ...usual } = deed
    if (answer !== undefined) await change({ deeds: now.deeds.with(at, usual) })
    const current = now.deeds[at]
    if (current?.waits === false) await change({ deeds: now.deeds.with(at, { ...current, waits: true }) })
  }
}

function sizeOf({ deeds, faults, calls, news, servers, nearCache, durability }: Schedule): number {
  const unusual = deeds.filter(({ answer, waits }) => answer !== undefined || !waits).length
  const settings = servers + Number(nearCache) + Number(durability === 'replicated')
  return deeds.length + unusual + faults.length + Object.keys(calls).length + Object.keys(news).length + settings
}
