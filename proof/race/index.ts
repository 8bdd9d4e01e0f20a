/** The races, in the order in which they are told. */
import { formsAcross, formsAcrossRenewal, formsAfterSignOut } from './forms.ts'
import { lostAnswers } from './lost-answer.ts'
import type { Race } from './race.ts'
import { parallelRenewals, renewalOrders } from './renewals.ts'
import { signInBeside } from './sign-in.ts'
import { signOutBeside, signOutInFlight } from './sign-out.ts'
import { parallelIncrements, parallelKeys } from './updates.ts'

export const RACES: readonly Race[] = [
  parallelKeys,
  parallelIncrements,
  signOutInFlight,
  signOutBeside,
  parallelRenewals,
  renewalOrders,
  signInBeside,
  lostAnswers,
  formsAcross,
  formsAcrossRenewal,
  formsAfterSignOut,
]
export type { Race, Size } from './race.ts'

/** What the drop-in for express-session promises with our own store behind it, and with another. */
export const DROP_IN_RACES: { readonly holdfast: readonly Race[]; readonly 'connect-redis': readonly Race[] } = {
  holdfast: [parallelKeys, signOutInFlight, signOutBeside, formsAcross, formsAfterSignOut],
  'connect-redis': [signOutBeside],
}
