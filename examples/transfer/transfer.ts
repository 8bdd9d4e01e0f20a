/** A transfer of money: what a session keeps of it while it is being filled in, and afterwards. */
import { randomUUID } from 'node:crypto'

import type { ServerName } from './worlds.ts'

/** What a session holds. */
export interface Ledger {
  draft?: Draft
  transfers: Transfer[]
}

export const ACCOUNTS = ['Current account', 'Savings account'] as const
export type Account = (typeof ACCOUNTS)[number]

/** A form's way: which server made it, and which received it. */
export interface Leg {
  form: string
  madeBy: ServerName
  receivedBy: ServerName
}

export interface Draft {
  id: string
  from: Account
  cents: number
  to?: string
  reference?: string
  way: Leg[]
}

export interface Transfer extends Draft {
  to: string
  reference: string
  at: Date
}

/** A transfer's draft once its details are known. */
export type CompleteDraft = Draft & { to: string; reference: string }

export function isComplete(draft: Draft | undefined): draft is CompleteDraft {
  return draft?.to !== undefined
}

/** What was typed into a form, or what is wrong with it, by field. */
export type Read<Value> = { readonly value: Value } | { readonly wrong: Readonly<Record<string, string>> }

/** The fields of a form as they came; nothing is known of them yet. */
export type Fields = Readonly<Record<string, unknown>>

const MOST_CENTS = 1_000_000

export function readEntry(fields: Fields): Read<Pick<Draft, 'from' | 'cents'>> {
  const from = ACCOUNTS.find((account) => account === fields['from'])
  const cents = centsOf(textOf(fields['amount']))
  const wrong = {
    ...(from === undefined && { from: 'Choose one of your accounts.' }),
    ...(cents === undefined && { amount: 'Enter an amount such as 25 or 25.00.' }),
    ...(cents !== undefined && (cents < 1 || cents > MOST_CENTS) && { amount: 'Enter an amount from 0.01 to 10,000.' }),
  }
  if (from === undefined || cents === undefined || Object.keys(wrong).length > 0) return { wrong }
  return { value: { from, cents } }
}

export function readDetails(fields: Fields): Read<{ to: string; reference: string }> {
  const to = textOf(fields['to'])
  const reference = textOf(fields['reference'])
  const wrong = {
    ...((to === '' || to.length > 60) && { to: 'Enter the account to pay into, in at most 60 characters.' }),
    ...(reference.length > 80 && { reference: 'Enter at most 80 characters.' }),
  }
  return Object.keys(wrong).length > 0 ? { wrong } : { value: { to, reference } }
}

export function readUserId(fields: Fields): Read<string> {
  const user = textOf(fields['user'])
  if (user === '' || user.length > 40) return { wrong: { user: 'Enter a name of 1 to 40 characters.' } }
  return { value: user }
}

export function newDraft(entry: Pick<Draft, 'from' | 'cents'>): Draft {
  return { id: randomUUID().slice(0, 8), ...entry, way: [] }
}

/**
 * Carries the draft out, once: it is taken out of the session and put into the ledger in one step, so that a
 * form sent twice, to one server or to both, finds it there already. Answers the transfer, and whether it was there.
 */
export function carryOut(
  ledger: Ledger,
  id: string,
  leg: Leg,
  at: Date,
): { readonly transfer: Transfer; readonly repeated: boolean } | undefined {
  const done = ledger.transfers.find((transfer) => transfer.id === id)
  if (done !== undefined) return { transfer: done, repeated: true }
  if (ledger.draft?.id !== id || !isComplete(ledger.draft)) return undefined
  const transfer = { ...ledger.draft, way: [...ledger.draft.way, leg], at }
  ledger.transfers.push(transfer)
  delete ledger.draft
  return { transfer, repeated: false }
}

/** `25`, `25.5`, `25.50`, `25,50` */
function centsOf(text: string): number | undefined {
  const [, euros = '', cents = ''] = /^(\d{1,9})(?:[.,](\d{1,2}))?$/.exec(text) ?? []
  return euros === '' ? undefined : Number(euros) * 100 + Number(cents.padEnd(2, '0'))
}

const MONEY = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

export function money(cents: number): string {
  return MONEY.format(cents / 100)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : ''
}
