/** After the end: the receipt, which says how often the transfer was carried out. */
import type { Entry } from '../server/ledger.ts'
import { money, numberOf, type Receipt } from '../transfer.ts'
import type { ServerName, World } from '../worlds.ts'
import { chip } from './chip.ts'
import { quietForm, summary } from './forms.ts'
import { html, type Html } from './html.ts'
import { address, type Page, type View } from './view.ts'
import { clockTime, timesWords } from './words.ts'

/** A transfer that was carried out, and what is known around it. */
export interface Outcome {
  readonly id: string
  readonly token: string
  readonly receipt: Receipt
  /** Whether this form was sent before. */
  readonly repeated: boolean
  /** What the ledger has of this visitor, newest first. */
  readonly entries: readonly Entry[]
  /** Where this session finds its receipts, by idempotency key. */
  readonly receipts: Readonly<Record<string, string>>
}

export function donePage(view: View, outcome: Outcome): Page {
  const { id, token, receipt, repeated, entries } = outcome
  const { idempotencyKey, carriedOutBy } = receipt
  // The form that came, once more: its token is as good as it was.
  const hidden = html`<input type="hidden" name="_csrf" value="${token}" />`
  const times = entries.filter((entry) => entry.idempotencyKey === idempotencyKey).length
  return {
    path: 'done',
    title: 'Done',
    step: 'done',
    cycle: { id, words: 'done, with its outcome', carriedOutBy },
    body: html`${repeated && again(view, carriedOutBy)}
      <p class="lead">
        Transfer <code>${numberOf(idempotencyKey)}</code> has been carried out <strong>${timesWords(times)}</strong>, by
        ${chip(carriedOutBy)} at ${clockTime(receipt.at)}.
      </p>
      ${summary(receipt)} ${ledgerOf(view, outcome)} ${way(view.world, receipt)}
      <div class="actions">
        <a class="button" href="${address(view, '')}">Make another transfer</a>
        ${quietForm(view, { action: address(view, 'confirm', id), token: hidden, button: 'Send the form again' })}
      </div>`,
  }
}

function again({ server }: View, carriedOutBy: ServerName): Html {
  const told =
    server === carriedOutBy
      ? html`Server ${server} carried it out, and has answered with the recorded outcome.`
      : html`Server ${carriedOutBy} carried it out; server ${server} has answered with the outcome that ${carriedOutBy}
        recorded.`
  return html`<p class="notice good">
    <strong>You sent this form before, and it was not carried out again.</strong> ${told}
  </p>`
}

/** Which server made each form, and which received it: kept in the cycle as the transfer went along. */
function way(world: World, { way: legs }: Receipt): Html {
  const crossed = legs.filter(({ madeBy, receivedBy }) => madeBy !== receivedBy).length
  const rows = legs.map(
    ({ form, madeBy, receivedBy }) =>
      html`<tr>
        <th scope="row">${form}</th>
        <td>${chip(madeBy)}</td>
        <td>${chip(receivedBy)}</td>
      </tr>`,
  )
  const verdict =
    world.balancing === 'pins'
      ? `All on one server: ${legs.length - crossed} of ${legs.length} forms.`
      : `${crossed} of ${legs.length} forms went to the other server.`
  return html`<h3>The way it took</h3>
    <table>
      <caption>
        ${verdict}
      </caption>
      <thead>
        <tr>
          <th scope="col">Form</th>
          <th scope="col">Made by</th>
          <th scope="col">Received by</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`
}

/** Rows of a table that nobody reads to the end. */
const ROWS_MOST = 8

function ledgerOf(view: View, { receipt, receipts, entries }: Outcome): Html {
  const rows = entries.slice(0, ROWS_MOST).map(({ idempotencyKey: key, cents, carriedOutBy, at }) => {
    const number = html`<code>${numberOf(key)}</code>`
    const known = receipts[key] !== undefined && key !== receipt.idempotencyKey
    return html`<tr>
      <td>${known ? html`<a href="${address(view, 'done', receipts[key])}">${number}</a>` : number}</td>
      <td>${chip(carriedOutBy)}</td>
      <td>${clockTime(new Date(at))}</td>
      <td class="number">${money(cents)}</td>
    </tr>`
  })
  return html`<h3>The ledger</h3>
    <table>
      <caption>
        It lies outside the sessions, and has a line for each time that a transfer was carried out.
      </caption>
      <thead>
        <tr>
          <th scope="col">Transfer</th>
          <th scope="col">By</th>
          <th scope="col">At</th>
          <th scope="col" class="number">Amount</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`
}
