/** What the session and its store did for this step. */
import { chip } from './chip.ts'
import { html, type Html } from './html.ts'
import type { Page, TripSight, View, WorkSight } from './view.ts'
import { callWords, isUnknownHere, OUTCOMES } from './words.ts'

export function facts(view: View, page: Page): Html {
  const { session, work, madeBy, server } = view
  return html`<section class="card facts" aria-labelledby="facts-title">
    <h2 id="facts-title">What it took</h2>
    <dl>
      ${fact('Form', madeBy === undefined ? 'none sent' : html`made by ${chip(madeBy)}, received by ${chip(server)}`)}
      ${fact('CSRF token', tokenWords(view))} ${fact('Cycle', cycleWords(view, page))}
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

function tokenWords(view: View): Html {
  const { token } = view
  if (token === 'none sent') return html`none sent`
  if (token === 'accepted') return html`<strong class="good-word">accepted</strong>`
  const why =
    token === 'session-ended' && isUnknownHere(view) ? 'of a session not known here' : html`<code>${token}</code>`
  return html`<strong class="bad-word">refused</strong>: ${why}`
}

/** The transfer that the page is about, as Holdfast sees it. */
function cycleWords(view: View, { cycle }: Page): Html | string {
  if (isUnknownHere(view)) return 'not known to this server'
  if (cycle === undefined) return 'none begun'
  const { id = '', words } = cycle
  return html`${id !== '' && html`<code>${id}</code>, `}${words}`
}

function absent(view: View): string {
  if (isUnknownHere(view)) return 'not known to this server'
  if (view.session.status === 'lapsed') return 'over'
  return view.work.outcome === 'ended' ? 'ended by this step' : 'nothing stored yet'
}

function trips({ trips: all }: WorkSight): Html {
  if (all.length === 0) return html`no trip`
  const total = all.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
  const list = alike(all).map(
    ({ what, words, times }) =>
      html`<li><code>${what}</code> ${words}${times > 1 && html` <span class="times">× ${times}</span>`}</li>`,
  )
  return html`${all.length} ${all.length === 1 ? 'trip' : 'trips'}, ${total.toFixed(1)} ms
    <ol class="trips">
      ${list}
    </ol>`
}

interface Alike {
  readonly what: string
  readonly words: string
  readonly times: number
}

/** Trips in their order; the same several times in a row are one: who waits for an outcome asks often. */
function alike(all: readonly TripSight[]): Alike[] {
  const rows: Alike[] = []
  for (const [at, trip] of all.entries()) {
    const words = `${callWords(trip, all.slice(0, at))}${trip.answer === 'done' ? '' : `: ${trip.answer}`}`
    const last = rows.at(-1)
    if (last?.what === trip.what && last.words === words) rows[rows.length - 1] = { ...last, times: last.times + 1 }
    else rows.push({ what: trip.what, words, times: 1 })
  }
  return rows
}
