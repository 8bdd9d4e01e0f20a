/** Reads what was typed into the forms. */
import type { Request } from 'express'

import { ACCOUNTS, type Draft } from '../transfer.ts'
import { isServerName, type ServerName } from '../worlds.ts'

/** What was typed into a form, or what is wrong with it, by field. */
export type Read<Value> = { readonly value: Value } | { readonly wrong: Readonly<Record<string, string>> }

/** The fields of a form as they came; nothing is known of them yet. */
export type Fields = Readonly<Record<string, unknown>>

const MOST_CENTS = 1_000_000

export function fieldsOf(request: Request): Fields {
  return typeof request.body === 'object' && request.body !== null ? (request.body as Fields) : {}
}

/** The token that came with the form, which carries the cycle. */
export function tokenOf(request: Request): string {
  return textOf(fieldsOf(request)['_csrf'])
}

/** The id of the cycle that the address names. */
export function idOf(request: Request): string | undefined {
  const { transfer } = request.query
  return typeof transfer === 'string' && /^[\w-]{24}$/.test(transfer) ? transfer : undefined
}

/** The server that made the form that came, by the form's own word: good enough to show, for nothing else. */
export function maker(request: Request): ServerName | undefined {
  const { madeBy } = fieldsOf(request)
  return isServerName(madeBy) ? madeBy : undefined
}

export function readUserId(fields: Fields): Read<string> {
  const user = textOf(fields['user'])
  if (user === '' || user.length > 40) return { wrong: { user: 'Enter a name of 1 to 40 characters.' } }
  return { value: user }
}

export function readAmount(fields: Fields): Read<Pick<Draft, 'from' | 'cents'>> {
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

export function readDetails(fields: Fields): Read<Pick<Draft, 'to' | 'reference'>> {
  const to = textOf(fields['to'])
  const reference = textOf(fields['reference'])
  const wrong = {
    ...((to === '' || to.length > 60) && { to: 'Enter the account to pay into, in at most 60 characters.' }),
    ...(reference.length > 80 && { reference: 'Enter at most 80 characters.' }),
  }
  return Object.keys(wrong).length > 0 ? { wrong } : { value: { to, reference } }
}

/** `25`, `25.5`, `25.50`, `25,50` */
function centsOf(text: string): number | undefined {
  const [, euros = '', cents = ''] = /^(\d{1,9})(?:[.,](\d{1,2}))?$/.exec(text) ?? []
  return euros === '' ? undefined : Number(euros) * 100 + Number(cents.padEnd(2, '0'))
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : ''
}
