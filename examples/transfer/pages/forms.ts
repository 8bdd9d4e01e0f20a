/** The steps that have a form. Each posts to its own path, and the answer is the next step. */
import { ACCOUNTS, AVAILABLE, BLANK, money, type Draft, type Transfer } from '../transfer.ts'
import { otherServer } from '../worlds.ts'
import { html, trusted, type Html } from './html.ts'
import { address, type CycleSight, type Page, type View } from './view.ts'

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
    ${form(view, { action: address(view, 'sign-in'), token: view.csrf, button: 'Sign in' }, [
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

export function amountPage(view: View, cycle: Transfer, { values, wrong }: Typed = {}): Page {
  const { from, cents } = cycle.state ?? BLANK
  const chosen = values?.['from'] ?? from
  const options = ACCOUNTS.map((account) => html`<option ${account === chosen && html`selected`}>${account}</option>`)
  return {
    path: 'amount',
    title: 'Amount',
    step: 'amount',
    status: statusOf(wrong),
    cycle: sight(cycle),
    body: stepForm(view, cycle, 'amount', [
      html`<div class="field">
        <label for="from">From</label>
        <select id="from" name="from">
          ${options}
        </select>
      </div>`,
      textField({
        name: 'amount',
        label: 'Amount in euros',
        hint: `Up to 10,000. Your savings account has ${money(AVAILABLE['Savings account'])}. No money moves.`,
        value: values?.['amount'] ?? (cents / 100).toFixed(2),
        wrong,
        attributes: html`inputmode="decimal" autocomplete="off"`,
      }),
    ]),
  }
}

export function detailsPage(view: View, cycle: Transfer, { values, wrong }: Typed = {}): Page {
  const { from, cents, to, reference } = cycle.state ?? BLANK
  return {
    path: 'details',
    title: 'Details',
    step: 'details',
    status: statusOf(wrong),
    cycle: sight(cycle),
    body: html`<p class="lead"><strong>${money(cents)}</strong> from your ${from.toLowerCase()}.</p>
      ${stepForm(view, cycle, 'details', [
        textField({
          name: 'to',
          label: 'To',
          hint: 'The account to pay into.',
          value: values?.['to'] ?? to,
          wrong,
          attributes: html`autocomplete="off" maxlength="60"`,
        }),
        textField({
          name: 'reference',
          label: 'Reference',
          hint: 'May be left empty.',
          value: values?.['reference'] ?? reference,
          wrong,
          optional: true,
          attributes: html`autocomplete="off" maxlength="80"`,
        }),
      ])}`,
  }
}

export function confirmPage(view: View, cycle: Transfer): Page {
  const draft = cycle.state ?? BLANK
  return {
    path: 'confirm',
    title: 'Confirmation',
    step: 'confirm',
    cycle: sight(cycle),
    body: html`<p class="lead">Please check, then confirm. Click twice if you like.</p>
      ${summary(draft)} ${stepForm(view, cycle, 'confirm', [slowly(view)], `Transfer ${money(draft.cents)}`)}
      <p class="aside-link"><a href="${address(view, 'amount', cycle.id)}">Change something</a></p>`,
  }
}

function slowly({ world, server }: View): Html {
  const next = world.balancing === 'pins' ? server : otherServer(server)
  return html`<div class="field">
    <div class="check">
      <input type="checkbox" id="slowly" name="slowly" value="yes" aria-describedby="slowly-hint" />
      <label for="slowly">Take three seconds over it</label>
    </div>
    <p class="hint" id="slowly-hint">
      Time to click again, or to kill server ${next}, whose turn it is. Halfway through, the money has gone out.
    </p>
  </div>`
}

export function summary(draft: Draft): Html {
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

function sight({ id, step }: Transfer): CycleSight {
  if (step === undefined) return { id, words: 'begun; nothing of it is stored yet' }
  return { id, words: step === 'amount' ? 'one step of two is taken' : 'both steps are taken' }
}

/** The form of a step, or of the end: its token carries the cycle. */
export function stepForm(
  view: View,
  cycle: Transfer,
  step: 'amount' | 'details' | 'confirm',
  fields: readonly Html[],
  button = 'Continue',
): Html {
  return form(view, { action: address(view, step, cycle.id), token: trusted(cycle.field()), button }, fields)
}

/** Every form of ours says by which server it was made. */
export function madeHere({ server }: View): Html {
  return html`<input type="hidden" name="madeBy" value="${server}" />`
}

interface FormParts {
  readonly action: string
  /** The hidden input with the token. */
  readonly token: Html
  readonly button: string
}

function form(view: View, { action, token, button }: FormParts, fields: readonly Html[]): Html {
  return html`<form method="post" action="${action}" novalidate>
    ${token}${madeHere(view)} ${fields}
    <button class="primary" type="submit">${button}</button>
  </form>`
}

/** A form that is a button, and not the first thing to do. */
export function quietForm(view: View, { action, token, button }: FormParts): Html {
  return html`<form method="post" action="${action}">
    ${token}${madeHere(view)}
    <button type="submit">${button}</button>
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
