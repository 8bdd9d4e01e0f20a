/** The races, in the order in which they are told. */
import { formsAcross, formsAcrossRenewal, formsAfterSignOut } from './forms.ts'
import { lostAnswers } from './lost-answer.ts'
import type { Race } from './race.ts'
import { parallelRenewals, renewalOrders } from './renewals.ts'
import { signInBeside } from './sign-in.ts'
import { signOutInFlight } from './sign-out.ts'
import { parallelIncrements, parallelKeys } from './updates.ts'

export const RACES: readonly Race[] = [
  parallelKeys,
  parallelIncrements,
  signOutInFlight,
  parallelRenewals,
  renewalOrders,
  signInBeside,
  lostAnswers,
  formsAcross,
  formsAcrossRenewal,
  formsAfterSignOut,
]
export type { Race, Size } from './race.ts'
