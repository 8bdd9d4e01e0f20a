/** The end of a transfer: what happens once, however often it is asked for. */
import { setTimeout as pause } from 'node:timers/promises'

import type { FinalStep } from 'holdfast/cycle'

import { AVAILABLE, BLANK, money, type Draft, type Leg, type Receipt } from '../transfer.ts'
import type { Ledger } from './ledger.ts'

/** Milliseconds to the bank, and as many back, where the visitor wants it to be slow. */
const EACH_WAY = 1500

/** What the request brings along. */
export interface Confirmation {
  readonly user: string
  readonly leg: Leg
  /** Whether there is to be time to click again, or to kill the server. */
  readonly slowly: boolean
}

export async function carryOut(
  { state: draft = BLANK, idempotencyKey, signal, reopen }: FinalStep<Draft | undefined>,
  { user, leg, slowly }: Confirmation,
  ledger: Ledger,
): Promise<Receipt> {
  const { from, to, cents } = draft
  if (cents > AVAILABLE[from]) throw reopen(`your ${from.toLowerCase()} has no more than ${money(AVAILABLE[from])}`)
  // A server that was stopped for too long is taken to be dead, and must not carry anything out any more.
  if (slowly) await pause(EACH_WAY, undefined, { signal })
  const at = new Date()
  const carriedOutBy = leg.receivedBy
  await ledger.append({ idempotencyKey, user, from, to, cents, carriedOutBy, at: at.toISOString() })
  if (slowly) await pause(EACH_WAY)
  return { ...draft, way: [...draft.way, leg], idempotencyKey, carriedOutBy, at }
}
