/** What each node of a cluster says of all of them. */
import { ask } from './asking.ts'
import type { RedisServer } from './redis-server.ts'

/** A node as another sees it, or it itself. */
export interface View {
  readonly id: string
  readonly flags: readonly string[]
  /** Whose replica it is; `-` of a primary. */
  readonly primary: string
  readonly epoch: number
  readonly connected: boolean
  /** First and last of each range. */
  readonly slots: readonly (readonly [number, number])[]
}

const WELL: ReadonlySet<string> = new Set(['myself', 'master', 'slave'])

/** All nodes, as this one sees them: `<id> <address> <flags> <primary> <ping> <pong> <epoch> <link> <slots>…` */
export async function viewsOf(node: RedisServer): Promise<View[]> {
  const lines = (await ask(node, 'cluster', 'nodes')).split('\n')
  return lines.map((line) => {
    const [id = '', , flags = '', primary = '', , , epoch, link, ...slots] = line.split(' ')
    return {
      id,
      flags: flags.split(','),
      primary,
      epoch: Number(epoch),
      connected: link === 'connected',
      // In brackets: those on their way.
      slots: slots.filter((range) => !range.startsWith('[')).map(rangeOf),
    }
  })
}

/** Whether it finds nothing wrong with that node. */
export function isWell({ flags, connected }: View): boolean {
  return connected && flags.every((flag) => WELL.has(flag))
}

function rangeOf(text: string): readonly [number, number] {
  const [first, last = first] = text.split('-').map(Number)
  return [first ?? Number.NaN, last ?? Number.NaN]
}

export function serves({ slots }: View, slot: number): boolean {
  return slots.some(([first, last]) => first <= slot && slot <= last)
}

/** Who serves what and who follows whom, to be compared with what others say. */
export function story(views: readonly View[]): string {
  const parts = views.map(({ id, primary, slots }) => `${id} ${primary} ${slots.join(' ')}`)
  return parts.toSorted().join('\n')
}
