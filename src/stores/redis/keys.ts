/**
 * The keys of one application:
 *
 * | key | what | expires |
 * |---|---|---|
 * | `hf:<selector>` | a record, or the marker of an ended visit | with the visit |
 * | `hf:@<user>` | a user's index: a sorted set of selectors by the time of their enrolment, and `!` with `notBefore` | a lifetime after the last enrolment |
 * | `hf:#<lease>` | who holds the lease | with the lease |
 * | `hf:#` | a hash: the last lease, and the epoch | never |
 *
 * A selector has neither colon nor `@` nor `#`, and a prefix ends with a colon, so that no two prefixes ever
 * name the same key. With `hf:` the key of a record has 27 bytes: one more than 28 would cost 16 bytes each.
 */
import type { Selector } from '../../core/store.ts'

/** The member of a user's index that holds `notBefore`. */
export const BAR = '!'
/** The fields of the one key that never expires. */
export const LEASE_FIELD = 'lease'
export const EPOCH_FIELD = 'epoch'

const SELECTOR = /^[\w-]{24}$/

export interface Keys {
  /** The one key that never expires. */
  readonly ledger: string
  record(selector: Selector): string
  user(user: string): string
  lease(lease: number): string
  /** The selector whose record is under the key; `undefined` where it is no record's. */
  selector(key: string): Selector | undefined
}

export function keysUnder(prefix: string): Keys {
  return {
    ledger: `${prefix}#`,
    record: (selector) => prefix + selector,
    user: (user) => `${prefix}@${user}`,
    lease: (lease) => `${prefix}#${lease}`,
    selector: (key) => {
      const rest = key.slice(prefix.length)
      return key.startsWith(prefix) && SELECTOR.test(rest) ? (rest as Selector) : undefined
    },
  }
}
