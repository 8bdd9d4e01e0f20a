/** Notices that the store has lost what it acknowledged: a browser was shown a newer version of its visit, or has a newer id. */
import * as channels from '../telemetry/channels.ts'
import type { Log } from '../types.ts'
import { BoundedMap } from './bounded-map.ts'
import type { Standing } from './commits.ts'
import type { GenuineId } from './cookie.ts'
import { floorOf } from './floor.ts'
import type { Presented } from './presented.ts'
import type { Services } from './services.ts'
import { handleOf } from './session-id.ts'
import type { Selector } from './store.ts'

/** Between two warnings, in milliseconds. */
const QUIET_FOR = 60_000
/** Losses that are remembered, so that each is counted once: some forty thousand. About 100 bytes each, and two for one at most. */
const REMEMBERED_BYTES = 8_000_000

/** By what a loss was noticed. */
interface Loss {
  readonly shown?: number | undefined
  readonly mintedAt?: number | undefined
  readonly found: number
}

export class LostWrites {
  count = 0
  readonly #log: Log
  readonly #known = new BoundedMap<string, true>(REMEMBERED_BYTES, () => 100)
  #warnedAt = -Infinity
  #since = 0

  constructor(log: Log) {
    this.#log = log
  }

  /**
   * The store has `found` (0: nothing at all). `shown`: what a browser was shown, where a floor says so. `mintedAt`: of its id,
   * where that is of a later time than the record.
   */
  noticed(selector: Selector, epoch: number, { shown, mintedAt, found }: Loss): void {
    const keys = [shown, mintedAt && `id ${mintedAt}`].filter(Boolean).map((mark) => `${selector} ${mark}`)
    const isKnown = keys.some((key) => this.#known.get(key) !== undefined)
    for (const key of keys) this.#known.set(key, true)
    if (isKnown) return
    this.count++
    this.#since++
    const handle = handleOf(selector, epoch)
    channels.lost.publish({ handle, shown, found })
    if (performance.now() - this.#warnedAt < QUIET_FOR) return
    this.#log.warn(
      { handle, shown, found, lost: this.#since },
      'The store has lost acknowledged changes of sessions. The sessions go on with what it has. Was there a fail-over, a restart, or a restored dump or file?',
    )
    this.#warnedAt = performance.now()
    this.#since = 0
  }
}

/**
 * Compares what the store answered with what the browser was shown. What expired or ended has not been lost. `isLost`: its id
 * is of a later time than the record.
 */
export function noticeLoss(
  { lostWrites, store, clock }: Services,
  { floors }: Presented,
  { selector, mintedAt }: GenuineId,
  standing: Standing,
  isLost: boolean,
): void {
  if (!isLost && floors.length === 0) return
  const floor = store.mayLose ? floorOf(floors, selector) : undefined
  if ('record' in standing) {
    const { counter: found, epoch } = standing.record
    const shown = floor !== undefined && found < floor.version ? floor.version : undefined
    if (!isLost && shown === undefined) return
    lostWrites.noticed(selector, floor?.epoch ?? epoch, { shown, mintedAt: isLost ? mintedAt : undefined, found })
  } else if (floor !== undefined && standing.gone === 'absent' && clock.now() < floor.stands) {
    lostWrites.noticed(selector, floor.epoch, { shown: floor.version, found: 0 })
  }
}
