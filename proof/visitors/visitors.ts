/** The visitors of a run, under a seed. */
import type { Promises } from '../history/history.ts'
import type { Recorder } from '../history/recorder.ts'
import { Asking } from './asking.ts'
import { chance } from './random.ts'
import { Visitor } from './visitor.ts'

export interface VisitorsOptions {
  /** The balancer's origin. */
  readonly url: string
  readonly seed: number
  readonly visitors: number
  /** Milliseconds between two actions of a visitor, on average. */
  readonly thinks: number
  readonly promises: Promises
  readonly recorder: Recorder
  /** How often a server was started, by its name. */
  readonly incarnation: (server: string) => number
  readonly everywhere: boolean
  /** When they go home. */
  readonly signal: AbortSignal
}

/** So many visitors, two and two of whom are one user. Settles when all have gone home. */
export async function visit(options: VisitorsOptions): Promise<void> {
  const { url, recorder, incarnation, promises, thinks, signal } = options
  const random = chance(options.seed)
  const visitors: Visitor[] = []
  for (let at = 0; at < options.visitors; at++) {
    const name = `v${at}`
    const own = random.fork()
    const othersToken = (): string | undefined => visitors[own.below(visitors.length)]?.token
    const habits = {
      user: `u${at >> 1}`,
      promises,
      thinks,
      everywhere: options.everywhere,
      signal,
      othersToken: others(name, othersToken),
    }
    visitors.push(new Visitor(new Asking(name, url, recorder, incarnation), habits, own))
  }
  await Promise.all(visitors.map((visitor) => visitor.stay()))

  function others(name: string, pick: () => string | undefined): () => string | undefined {
    return () => {
      const token = pick()
      return token === visitors[Number(name.slice(1))]?.token ? undefined : token
    }
  }
}
