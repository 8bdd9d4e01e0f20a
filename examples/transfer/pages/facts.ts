/** What the session and its store did for this step. */
import { html, type Html } from './html.ts'
import type { TokenSight, View, WorkSight } from './view.ts'
import { CALLS, OUTCOMES } from './words.ts'

export function facts(view: View): Html {
  const { session, work, token, madeBy, server } = view
  return html`<section class="card facts" aria-labelledby="facts-title">
    <h2 id="facts-title">What it took</h2>
    <dl>
      ${fact('Form', madeBy === undefined ? 'none sent' : html`made by ${chip(madeBy)}, received by ${chip(server)}`)}
      ${fact('CSRF token', tokenWords(token))}
      ${fact('Session', session.handle === undefined ? absent(view) : html`<code>${session.handle}</code>`)}
      ${fact('Version', session.handle === undefined ? '–' : String(session.version))} ${fact('Store', trips(work))}
      ${fact('Commit', html`<strong>${work.outcome}</strong>: ${OUTCOMES[work.outcome]}`)}
      ${fact('Conflicts', String(work.conflicts))}
    </dl>
  </section>`
}

function fact(name: string, value: Html | string): Html {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`
}

function chip(name: string): Html {
  return html`<span class="chip chip-${name}"><span class="unseen">server </span>${name}</span>`
}

function tokenWords(token: TokenSight): Html {
  if (token === 'none sent') return html`none sent`
  if (token === 'accepted') return html`<strong class="good-word">accepted</strong>`
  return html`<strong class="bad-word">refused</strong>: <code>${token}</code>`
}

function absent({ session }: View): string {
  return session.status === 'lapsed' ? 'not known to this server' : 'nothing stored yet'
}

function trips({ trips: all }: WorkSight): Html {
  if (all.length === 0) return html`no trip`
  const total = all.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
  const list = all.map(
    ({ what, answer }) => html`<li><code>${what}</code> ${CALLS[what]}${answer !== 'done' && `: ${answer}`}</li>`,
  )
  return html`${all.length} ${all.length === 1 ? 'trip' : 'trips'}, ${total.toFixed(1)} ms
    <ol class="trips">
      ${list}
    </ol>`
}
