/** The steps that have a form. Each posts to its own path, and the answer is the next step. */
import { ACCOUNTS, money, type CompleteDraft, type Draft } from '../transfer.ts'
import { html, type Html } from './html.ts'
import { address, type Page, type View } from './view.ts'

/** What was typed before, and what is wrong with it. */
export interface Typed {
  readonly values?: Readonly<Record<string, unknown>>
  readonly wrong?: Readonly<Record<string, string>>
}

export function signInPage(view: View, { values, wrong }: Typed = {}, notice?: Html): Page {
  return {
    path: '',
    title: 'Sign in',
    status: statusOf(wrong),
    body: html`${
      notice ??
      html`<p class="lead">
        Transfer some money from one account to another, in four steps. Watch which server answers each of them.
      </p>`
    }
    ${form(view, 'sign-in', 'Sign in', [
      textField({
        name: 'user',
        label: 'Your name',
        hint: 'Any name will do; there is no password.',
        value: values?.['user'],
        wrong,
        attributes: html`autocomplete="username" maxlength="40"`,
      }),
    ])}`,
  }
}

export function entryPage(view: View, draft: Draft | undefined, { values, wrong }: Typed = {}): Page {
  const from = values?.['from'] ?? draft?.from ?? ACCOUNTS[0]
  const options = ACCOUNTS.map((account) => html`<option ${account === from && html`selected`}>${account}</option>`)
  return {
    path: 'entry',
    title: 'Amount',
    step: 'entry',
    status: statusOf(wrong),
    body: form(view, 'entry', 'Continue', [
      html`<div class="field">
        <label for="from">From</label>
        <select id="from" name="from">
          ${options}
        </select>
      </div>`,
      textField({
        name: 'amount',
        label: 'Amount in euros',
        hint: 'Up to 10,000. No money moves.',
        value: values?.['amount'] ?? ((draft?.cents ?? 2500) / 100).toFixed(2),
        wrong,
        attributes: html`inputmode="decimal" autocomplete="off"`,
      }),
    ]),
  }
}

export function detailsPage(view: View, draft: Draft, { values, wrong }: Typed = {}): Page {
  return {
    path: 'details',
    title: 'Details',
    step: 'details',
    status: statusOf(wrong),
    body: html`<p class="lead"><strong>${money(draft.cents)}</strong> from your ${draft.from.toLowerCase()}.</p>
      ${form(view, 'details', 'Continue', [
        textField({
          name: 'to',
          label: 'To',
          hint: 'The account to pay into.',
          value: values?.['to'] ?? draft.to ?? 'Household account',
          wrong,
          attributes: html`autocomplete="off" maxlength="60"`,
        }),
        textField({
          name: 'reference',
          label: 'Reference',
          hint: 'May be left empty.',
          value: values?.['reference'] ?? draft.reference ?? '',
          wrong,
          optional: true,
          attributes: html`autocomplete="off" maxlength="80"`,
        }),
      ])}`,
  }
}

export function confirmPage(view: View, draft: CompleteDraft): Page {
  return {
    path: 'confirm',
    title: 'Confirmation',
    step: 'confirm',
    body: html`<p class="lead">Please check, then confirm.</p>
      ${summary(draft)}
      ${form(view, 'confirm', `Transfer ${money(draft.cents)}`, [
        html`<input type="hidden" name="transfer" value="${draft.id}" />`,
      ])}
      <p class="aside-link"><a href="${address(view, 'entry')}">Change something</a></p>`,
  }
}

export function summary(draft: CompleteDraft): Html {
  return html`<dl class="summary">
    <div>
      <dt>Amount</dt>
      <dd>${money(draft.cents)}</dd>
    </div>
    <div>
      <dt>From</dt>
      <dd>${draft.from}</dd>
    </div>
    <div>
      <dt>To</dt>
      <dd>${draft.to}</dd>
    </div>
    ${
      draft.reference !== '' &&
      html`<div>
        <dt>Reference</dt>
        <dd>${draft.reference}</dd>
      </div>`
    }
  </dl>`
}

function form(view: View, action: string, button: string, fields: readonly Html[]): Html {
  return html`<form method="post" action="${address(view, action)}" novalidate>
    ${view.hidden} ${fields}
    <button class="primary" type="submit">${button}</button>
  </form>`
}

interface TextField {
  readonly name: string
  readonly label: string
  readonly hint: string
  readonly value: unknown
  readonly wrong: Readonly<Record<string, string>> | undefined
  readonly attributes: Html
  readonly optional?: boolean
}

function textField({ name, label, hint, value, wrong, attributes, optional = false }: TextField): Html {
  const complaint = wrong?.[name]
  const described = complaint === undefined ? `${name}-hint` : `${name}-wrong ${name}-hint`
  const invalid = complaint !== undefined && html`aria-invalid="true" autofocus`
  return html`<div class="field">
    <label for="${name}">${label}</label>
    ${complaint !== undefined && html`<p class="wrong" id="${name}-wrong">${complaint}</p>`}
    <input
      id="${name}"
      name="${name}"
      value="${typeof value === 'string' ? value : ''}"
      aria-describedby="${described}"
      ${invalid}
      ${!optional && html`required`}
      ${attributes}
    />
    <p class="hint" id="${name}-hint">${hint}</p>
  </div>`
}

function statusOf(wrong: Typed['wrong']): number {
  return wrong === undefined ? 200 : 422
}
