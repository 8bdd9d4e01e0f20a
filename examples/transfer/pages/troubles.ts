/** Transfers that do not go on as they were asked to: what each code of a `CycleError` means here, and the way on. */
import type { CycleError, CycleErrorCode } from 'holdfast/cycle'

import type { Entry } from '../server/ledger.ts'
import { BLANK, money, type Transfer } from '../transfer.ts'
import { chip } from './chip.ts'
import { quietForm, stepForm } from './forms.ts'
import { html, trusted, type Html } from './html.ts'
import { address, type Page, type View } from './view.ts'
import { clockTime, timesWords } from './words.ts'

export interface Trouble {
  readonly error: CycleError
  /** The transfer, as the address named it. */
  readonly id: string | undefined
  /** What the ledger has under the idempotency key, where the error names one. */
  readonly entries: readonly Entry[]
  /** The open transfers, where there are too many. */
  readonly open: readonly Transfer[]
}

/** What the page for one code says. */
interface Words {
  readonly title: string
  readonly what: Html | string
  /** Under which address the page can be asked for again. Default: where a new transfer begins. */
  readonly path?: Page['path']
  readonly more?: Html
  readonly wayOn: Html
}

export function troublePage(view: View, trouble: Trouble): Page {
  const { error, id } = trouble
  const { title, what, path = '', more, wayOn } = TROUBLES[error.code](view, trouble)
  const busy = error.code === 'ERR_CYCLE_BUSY'
  return {
    path,
    title,
    status: error.status,
    cycle: { id, words: error.code },
    ...(busy && { again: Number(error.headers['retry-after']) }),
    body: html`<div class="notice ${busy ? 'good' : 'bad'}" role="alert">
        <p><strong>${what}</strong></p>
        <p class="small">In Holdfast’s words: <code>${error.code}</code></p>
      </div>
      ${more}
      <p class="actions">${wayOn}</p>`,
  }
}

/** The final step has begun, and there is no outcome. Asking for it is sending the form again. */
export function unsettledPage(view: View, cycle: Transfer): Page {
  const { id, status } = cycle
  const running = status === 'running'
  return {
    path: 'confirm',
    title: running ? 'Being carried out' : 'No outcome',
    step: 'confirm',
    cycle: { id, words: running ? 'its end is running' : status },
    ...(running && { again: 2 }),
    body: html`<p class="lead">
        ${
          running
            ? 'A server is carrying your transfer out. This page asks again every two seconds.'
            : 'Your transfer was confirmed, and its end was begun. It did not come to an outcome.'
        }
      </p>
      <p>Send the form again without fear: whoever is late gets the outcome, and nothing is carried out twice.</p>
      ${stepForm(view, cycle, 'confirm', [], 'Ask for the outcome')}`,
  }
}

/** The application itself failed. */
export function brokenPage(view: View, id: string | undefined): Page {
  return {
    path: '',
    title: 'Something broke',
    status: 500,
    cycle: { id, words: 'not known' },
    body: html`<div class="notice bad" role="alert">
        <p><strong>Server ${view.server} could not do what you asked.</strong></p>
        <p>Its terminal says why.</p>
      </div>
      <p class="actions">
        <a class="button" href="${address(view, 'done', id)}">See what became of it</a>
      </p>`,
  }
}

const TROUBLES: Readonly<Record<CycleErrorCode, (view: View, trouble: Trouble) => Words>> = {
  ERR_CYCLE_UNKNOWN: (view) => ({
    title: 'Unknown',
    what: 'This visit has no such transfer.',
    wayOn: beginAnew(view),
  }),
  ERR_CYCLE_FOREIGN: (view) => ({
    title: 'Not yours',
    what: 'The form belongs to another visit, or was made up.',
    wayOn: beginAnew(view),
  }),
  ERR_CYCLE_ENDED: (view) => ({
    title: 'Dropped',
    what: 'This transfer was dropped, made room for newer ones, or belongs to a sign-in that is over.',
    wayOn: beginAnew(view),
  }),
  ERR_CYCLE_EXPIRED: (view) => ({
    title: 'Too late',
    what: 'The time for this transfer is over.',
    wayOn: beginAnew(view),
  }),
  ERR_CYCLE_FINISHED: (view, { id }) => ({
    title: 'Over already',
    what: 'This transfer is over: no step of it can be taken any more.',
    path: 'done',
    wayOn: html`${button(view, 'done', id, 'See what became of it')} ${beginAnew(view, 'link')}`,
  }),
  ERR_CYCLE_STEP: (view, { error, id }) => ({
    title: 'Not yet',
    what: 'Another step comes before this one.',
    path: nextPage(error),
    wayOn: button(view, nextPage(error), id, 'Show the step that is next'),
  }),
  ERR_CYCLE_STATE: (view, { id }) => ({
    title: 'Not accepted',
    what: 'What was filled in cannot be accepted.',
    path: 'amount',
    wayOn: button(view, 'amount', id, 'Fill it in again'),
  }),
  ERR_CYCLE_LIMIT: (view, { id, open }) => ({
    title: 'Too many',
    what: `You have ${open.length} transfers open. Finish one of them or drop one, then go on.`,
    path: 'amount',
    more: openTransfers(view, open),
    wayOn: button(view, 'amount', id, 'Go on'),
  }),
  ERR_CYCLE_BUSY: (view, { error, id }) => ({
    title: 'Being carried out',
    what: `A server is carrying this transfer out. This page asks again in ${error.headers['retry-after']} seconds.`,
    path: 'confirm',
    wayOn: button(view, 'confirm', id, 'Ask now'),
  }),
  ERR_CYCLE_REOPENED: (view, { error, id }) => ({
    title: 'Not carried out',
    what: `The bank refused: ${error.reason}. Nothing has happened, and the transfer is as it was.`,
    path: 'confirm',
    wayOn: html`${button(view, 'amount', id, 'Change the amount')}
      <a href="${address(view, 'confirm', id)}">Back to the confirmation</a>`,
  }),
  ERR_CYCLE_FAILED: (view, trouble) => ({
    title: 'Failed',
    what: `Carrying this transfer out failed (${trouble.error.reason}), and it is not tried again.`,
    path: 'confirm',
    more: ledgersWord(trouble),
    wayOn: beginAnew(view),
  }),
  ERR_CYCLE_IN_DOUBT: (view, trouble) => ({
    title: 'In doubt',
    what: 'The server that was carrying this transfer out died before it could say what came of it.',
    path: 'confirm',
    more: ledgersWord(trouble),
    wayOn: beginAnew(view),
  }),
}

/** What an application does about a doubt: it looks under the key where the effect would be. */
function ledgersWord({ error: { idempotencyKey }, entries }: Trouble): Html {
  const [entry] = entries
  const found =
    entry === undefined
      ? html`<strong>The ledger has nothing under it</strong>: the transfer was not carried out. You can begin it again.`
      : html`<strong>The ledger has it</strong>: the transfer was carried out ${timesWords(entries.length)}, by
          ${chip(entry.carriedOutBy)} at ${clockTime(new Date(entry.at))}. Do not begin it again.`
  return html`<p>
      The cycle alone cannot tell whether the money went out before that, and does not guess. But everything that the
      transfer does outside bears one key:
    </p>
    <p class="key"><code>${idempotencyKey}</code></p>
    <p>So the application looked it up. ${found}</p>`
}

function openTransfers(view: View, open: readonly Transfer[]): Html {
  const rows = open.map(({ id, state: draft = BLANK, ...cycle }) => {
    const amount = money(draft.cents)
    return html`<tr>
      <td><a href="${address(view, 'confirm', id)}">${amount} to ${draft.to}</a></td>
      <td>${quietForm(view, { action: address(view, 'drop', id), token: trusted(cycle.field()), button: 'Drop' })}</td>
    </tr>`
  })
  return html`<table>
    <caption>
      Open in this session, newest first.
    </caption>
    <thead>
      <tr>
        <th scope="col">Transfer</th>
        <th scope="col"><span class="unseen">What to do with it</span></th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`
}

function nextPage({ expected }: CycleError): 'amount' | 'details' | 'confirm' {
  return expected === 'amount' || expected === 'details' ? expected : 'confirm'
}

function button(view: View, path: string, id: string | undefined, text: string): Html {
  return html`<a class="button" href="${address(view, path, id)}">${text}</a>`
}

function beginAnew(view: View, look: 'button' | 'link' = 'button'): Html {
  return html`<a ${look === 'button' && html`class="button"`} href="${address(view, '')}">Begin a new transfer</a>`
}
