/** The last step: the receipt, the way it took, and the ledger. */
import { money, type Transfer } from '../transfer.ts'
import type { World } from '../worlds.ts'
import { summary } from './forms.ts'
import { html, type Html } from './html.ts'
import { address, type Page, type View } from './view.ts'

export function donePage(view: View, transfer: Transfer, ledger: readonly Transfer[], repeated: boolean): Page {
  return {
    path: 'done',
    title: 'Done',
    step: 'done',
    body: html`${
        repeated &&
        html`<p class="notice good">You sent this form more than once. The transfer was carried out once.</p>`
      }
      <p class="lead">Transfer <code>${transfer.id}</code> has been carried out.</p>
      ${summary(transfer)} ${way(view.world, transfer)} ${ledgerOf(ledger)}
      <p class="actions"><a class="button" href="${address(view, 'entry')}">Make another transfer</a></p>`,
  }
}

/** Which server made each form, and which received it: kept in the session as the transfer went along. */
function way(world: World, { way: legs }: Transfer): Html {
  const crossed = legs.filter(({ madeBy, receivedBy }) => madeBy !== receivedBy).length
  const rows = legs.map(
    ({ form, madeBy, receivedBy }) =>
      html`<tr>
        <th scope="row">${form}</th>
        <td><span class="chip chip-${madeBy}">${madeBy}</span></td>
        <td><span class="chip chip-${receivedBy}">${receivedBy}</span></td>
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

function ledgerOf(ledger: readonly Transfer[]): Html | undefined {
  if (ledger.length < 2) return undefined
  const rows = ledger.toReversed().map(
    ({ id, cents, from, to }) =>
      html`<tr>
        <td><code>${id}</code></td>
        <td>${from} to ${to}</td>
        <td class="number">${money(cents)}</td>
      </tr>`,
  )
  return html`<h3>Your transfers</h3>
    <table>
      <caption>
        Kept in your session.
      </caption>
      <thead>
        <tr>
          <th scope="col">Number</th>
          <th scope="col">Accounts</th>
          <th scope="col" class="number">Amount</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`
}
