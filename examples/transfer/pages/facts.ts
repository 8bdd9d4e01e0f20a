/** What the session and its store did for this step. */
import { html, type Html } from './html.ts'
import type { View, WorkSight } from './view.ts'
import { callWords, isUnknownHere, OUTCOMES } from './words.ts'

export function facts(view: View): Html {
  const { session, work, madeBy, server } = view
  return html`<section class="card facts" aria-labelledby="facts-title">
    <h2 id="facts-title">What it took</h2>
    <dl>
      ${fact('Form', madeBy === undefined ? 'none sent' : html`made by ${chip(madeBy)}, received by ${chip(server)}`)}
      ${fact('CSRF token', tokenWords(view))}
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

function tokenWords(view: View): Html {
  const { token } = view
  if (token === 'none sent') return html`none sent`
  if (token === 'accepted') return html`<strong class="good-word">accepted</strong>`
  const why =
    token === 'session-ended' && isUnknownHere(view) ? 'of a session not known here' : html`<code>${token}</code>`
  return html`<strong class="bad-word">refused</strong>: ${why}`
}

function absent(view: View): string {
  if (isUnknownHere(view)) return 'not known to this server'
  if (view.session.status === 'lapsed') return 'over'
  return view.work.outcome === 'ended' ? 'ended by this step' : 'nothing stored yet'
}

function trips({ trips: all }: WorkSight): Html {
  if (all.length === 0) return html`no trip`
  const total = all.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
  const list = all.map(
    (trip, at) =>
      html`<li>
        <code>${trip.what}</code> ${callWords(trip, all[at - 1])}${trip.answer !== 'done' && `: ${trip.answer}`}
      </li>`,
  )
  return html`${all.length} ${all.length === 1 ? 'trip' : 'trips'}, ${total.toFixed(1)} ms
    <ol class="trips">
      ${list}
    </ol>`
}
