/** Notices that the store has lost what it acknowledged: it has an older version of a visit than a browser was shown. */
import * as channels from '../telemetry/channels.ts'
import type { Log } from '../types.ts'
import { BoundedMap } from './bounded-map.ts'
import type { Standing } from './commits.ts'
import { floorOf } from './floor.ts'
import type { Presented } from './presented.ts'
import type { Services } from './services.ts'
import { handleOf } from './session-id.ts'
import type { Selector } from './store.ts'

/** Between two warnings, in milliseconds. */
const QUIET_FOR = 60_000
/** Losses that are remembered, so that the requests of a page count one once. About 100 bytes each. */
const REMEMBERED_BYTES = 1_000_000

export class LostWrites {
  count = 0
  readonly #log: Log
  readonly #known = new BoundedMap<string, true>(REMEMBERED_BYTES, () => 100)
  #warnedAt = -Infinity
  #since = 0

  constructor(log: Log) {
    this.#log = log
  }

  /** A browser was shown `shown`, and the store has `found` (0: nothing at all). */
  noticed(selector: Selector, epoch: number, shown: number, found: number): void {
    const loss = `${selector} ${shown}`
    if (this.#known.get(loss) !== undefined) return
    this.#known.set(loss, true)
    this.count++
    this.#since++
    const handle = handleOf(selector, epoch)
    channels.lost.publish({ handle, shown, found })
    if (performance.now() - this.#warnedAt < QUIET_FOR) return
    this.#log.warn(
      { handle, shown, found, lost: this.#since },
      'The store has lost acknowledged changes of sessions. The sessions go on with what it has. Was there a fail-over, a restart, or a restored dump?',
    )
    this.#warnedAt = performance.now()
    this.#since = 0
  }
}

/** Compares what the store answered with what the browser was shown. What expired or ended has not been lost. */
export function noticeLoss(
  { lostWrites, clock }: Services,
  { floors }: Presented,
  selector: Selector,
  standing: Standing,
): void {
  if (lostWrites === undefined || floors.length === 0) return
  const floor = floorOf(floors, selector)
  if (floor === undefined) return
  if ('record' in standing) {
    const { counter } = standing.record
    if (counter < floor.version) lostWrites.noticed(selector, floor.epoch, floor.version, counter)
  } else if (standing.gone === 'absent' && clock.now() < floor.stands) {
    lostWrites.noticed(selector, floor.epoch, floor.version, 0)
  }
}
