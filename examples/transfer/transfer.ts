/** A transfer of money: an action of two steps and an end, and what each of them knows. */
import { defineCycle, type Cycle, type CycleKind } from 'holdfast/cycle'

import type { ServerName } from './worlds.ts'

export const ACCOUNTS = ['Current account', 'Savings account'] as const
export type Account = (typeof ACCOUNTS)[number]

/** Cents that are in each account. Nothing is ever taken out. */
export const AVAILABLE: Readonly<Record<Account, number>> = { 'Current account': 1_000_000, 'Savings account': 50_000 }

/** A form's way: which server made it, and which received it. */
export interface Leg {
  readonly form: string
  readonly madeBy: ServerName
  readonly receivedBy: ServerName
}

/** What is known of a transfer while it is being filled in. */
export interface Draft {
  readonly from: Account
  readonly cents: number
  readonly to: string
  readonly reference: string
  readonly way: readonly Leg[]
}

/** What a transfer begins with. */
export const BLANK: Draft = {
  from: 'Current account',
  cents: 2500,
  to: 'Household account',
  reference: '',
  way: [],
}

/** What is known of it once it was carried out. */
export interface Receipt extends Draft {
  readonly idempotencyKey: string
  readonly carriedOutBy: ServerName
  readonly at: Date
}

/** A draft that was begun and not touched yet is `undefined`: whoever only looks at the first form stores nothing. */
export const transfer: TransferKind = defineCycle<Draft | undefined, Receipt>('transfer', {
  steps: ['amount', 'details'],
  // Both are shorter than an application would have them: whoever kills a server here wants to see what comes of it.
  lease: '3s',
  patience: '8s',
})

export type TransferKind = CycleKind<Draft | undefined, Receipt>
export type Transfer = Cycle<Draft | undefined, Receipt>

/** What a session holds besides: where its visitor finds the receipts again, by idempotency key. */
export interface Visit {
  receipts: Record<string, string>
}

/** By this people name a transfer. */
export function numberOf(idempotencyKey: string): string {
  return idempotencyKey.slice(0, 8)
}

const MONEY = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

export function money(cents: number): string {
  return MONEY.format(cents / 100)
}
