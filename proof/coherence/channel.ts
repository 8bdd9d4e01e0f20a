/** What happens to the channels on which Redis tells of changes, in one phase of the proof. */
import { setTimeout as pause } from 'node:timers/promises'

import type { Counts, Order, Trouble } from './proxy.ts'
import type { Stage } from './stage.ts'

/**
 * `killed`: Redis closes them again and again. `half-open`: they swallow everything from now on, both ways, again and again.
 * `lost`: they swallow news only, and answer. `late`: each piece of news comes 500 ms later. `reordered`: and of different
 * keys in another order. `slow answers`: the answers to commands come later than news of what they make old.
 */
export type Channel = 'whole' | 'late' | 'reordered' | 'lost' | 'killed' | 'half-open' | 'slow answers'

const WHOLE: Trouble = { news: 'pass', answersLater: 0 }
const TROUBLES: Readonly<Partial<Record<Channel, Trouble>>> = {
  late: { news: [500, 500], answersLater: 0 },
  reordered: { news: [0, 500], answersLater: 0 },
  lost: { news: 'lost', answersLater: 0 },
  'slow answers': { news: 'pass', answersLater: 25 },
}
/** Milliseconds between two breaks: a channel that is killed is up again within 100 ms; a dead one is noticed within 800. */
const BETWEEN = { killed: 800, 'half-open': 2_000 } as const
const STEP = 50

/** How often the channels were broken, and what became of the news. */
export interface Damage extends Omit<Counts, 'channels' | 'swallowing'> {
  readonly breaks: number
}

export class Weather {
  readonly #stage: Stage
  readonly #channel: Channel
  readonly #before: Counts
  readonly #over = new AbortController()
  readonly #breaking: Promise<void>
  #breaks = 0

  private constructor(stage: Stage, channel: Channel, before: Counts) {
    this.#stage = stage
    this.#channel = channel
    this.#before = before
    this.#breaking = channel === 'killed' || channel === 'half-open' ? this.#break(BETWEEN[channel]) : Promise.resolve()
    // Whoever ends it hears of it.
    this.#breaking.catch(() => undefined)
  }

  /** From now on the channels fare so. */
  static async begin(stage: Stage, channel: Channel): Promise<Weather> {
    return new Weather(stage, channel, await stage.order(TROUBLES[channel] ?? WHOLE))
  }

  /** They are whole again, or will be as soon as the servers notice. */
  async end(): Promise<Damage> {
    this.#over.abort()
    await this.#breaking
    const now = await this.#stage.order(WHOLE)
    const { news, late, overtaken, lost } = this.#before
    return {
      breaks: this.#breaks,
      news: now.news - news,
      late: now.late - late,
      overtaken: now.overtaken - overtaken,
      lost: now.lost - lost,
    }
  }

  async #break(between: number): Promise<void> {
    while (!this.#over.signal.aborted) {
      this.#breaks += this.#channel === 'killed' ? await this.#stage.killChannels() : await this.#swallow()
      const next = performance.now() + between * (0.75 + Math.random() / 2)
      while (performance.now() < next && !this.#over.signal.aborted) await pause(STEP)
    }
  }

  async #swallow(): Promise<number> {
    const { swallowing: before } = await this.#order('count')
    const { swallowing } = await this.#order('swallow')
    return swallowing - before
  }

  #order(order: Order): Promise<Counts> {
    return this.#stage.order(order)
  }
}

/** Whether what was to happen did. */
export function happened(channel: Channel, { breaks, late, overtaken, lost }: Damage): boolean {
  if (channel === 'killed' || channel === 'half-open') return breaks > 0
  if (channel === 'late') return late > 0
  if (channel === 'reordered') return overtaken > 0
  return channel !== 'lost' || lost > 0
}
