/** One run: its timeline, what its faults cost, and its violations. */
import { unexcused } from '../checker/check.ts'
import { forgottenOf } from '../checker/forgotten.ts'
import type { Violation } from '../checker/violations.ts'
import type { History } from '../history/history.ts'
import { type FaultFigures, faultsOf, isAnswered, percentile } from './figures.ts'
import { html, type Html } from './html.ts'
import { count, counted, ms, percent } from './numbers.ts'
import { sequence } from './sequence.ts'
import { isFine, type Shown, titleOf } from './shown.ts'
import { timeline } from './timeline.ts'

/** Of each rule so many violations are shown with their part of the history, in each run. */
const SHOWN_EACH = 3

/** `id`: of its heading, to lead to it. */
export function section(shown: Shown, id: string): Html {
  const { history, violations, command } = shown
  const bad = unexcused(violations)
  const told = bad.filter((one) => bad.filter(({ name }) => name === one.name).indexOf(one) < SHOWN_EACH)
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">
      ${titleOf(shown)} <span class="tag ${isFine(shown) ? 'held' : 'broken'}">${verdictOf(shown)}</span>
    </h2>
    <p>${figuresOf(history)}</p>
    <figure>
      <div class="wide" role="region" aria-label="Timeline" tabindex="0">${timeline(history, violations)}</div>
      <figcaption>${legend(history, violations)}</figcaption>
    </figure>
    ${faultTable(history)} ${told.map((violation) => sequence(history, violation))}
    ${bad.length > told.length ? html`<p>And ${count(bad.length - told.length)} more of the same kinds.</p>` : html``}
    <p class="small">Again: <code>${command}</code></p>
    <p class="small">${versionsOf(history)}</p>
  </section>`
}

export function verdictOf({ violations, faulty }: Shown): string {
  const bad = unexcused(violations).length
  if (faulty) return bad === 0 ? 'nothing found' : `${count(bad)} found`
  if (bad > 0) return counted(bad, 'violation')
  const { times, noticed } = forgottenOf(violations)
  return times === 0 ? 'held' : `held, store forgot ${count(times)}, noticed ${count(noticed)}`
}

function legend({ faults }: History, violations: readonly Violation[]): Html {
  const bad = unexcused(violations).length
  const keys: readonly (readonly [style: string, what: string, used: boolean])[] = [
    ['good', 'answered', true],
    ['bad', 'failed', true],
    ['p50', 'half within (p50)', true],
    ['p99', '99 of 100 within (p99)', true],
    ['band', 'a fault lasts', faults.length > 0],
    ['violation', 'violation', bad > 0],
    ['excused', 'the store forgot', violations.length > bad],
  ]
  return html`${keys.flatMap(([style, what, used]) => (used ? [html`<span><i class="key ${style}"></i>${what}</span> `] : []))}`
}

function figuresOf({ operations, run }: History): string {
  const answered = operations.filter(isAnswered)
  const times = answered.map(({ began, ended }) => ended - began)
  const shares = run.servers.map((name) => {
    const own = answered.filter(({ server }) => server?.startsWith(`${name}#`) === true).length
    return `${name} ${percent(own, answered.length)}`
  })
  return `${counted(operations.length, 'request')} in ${run.seconds} s, ${count(operations.length - answered.length)} of them failed. Half were answered within ${ms(percentile(times, 0.5))}, 99 of 100 within ${ms(percentile(times, 0.99))}; by server ${shares.join(', ')}.`
}

function faultTable(history: History): Html {
  const figures = faultsOf(history)
  if (figures.length === 0) return html``
  const rows = figures.map(
    (one) =>
      html`<tr>
        <th scope="row">${one.name}</th>
        <td class="number">${(one.began / 1_000).toFixed(1)} s</td>
        <td class="number">${ms(one.lasted)}</td>
        <td class="number">${ms(one.silence)}</td>
        <td class="number">${count(one.requests)}</td>
        <td class="number">${count(one.refused)}</td>
        <td class="number">${count(one.unknown)}</td>
        <td class="number">${recoveryOf(one)}</td>
      </tr>`,
  )
  const heads = ['at', 'lasted', 'longest without service', 'requests', 'refused', 'unknown', 'recovered after it']
  return html`<details>
    <summary>${counted(figures.length, 'fault')} in figures</summary>
    <div class="wide" role="region" aria-label="Faults in figures" tabindex="0">
      <table>
        <thead>
          <tr>
            <th scope="col">fault</th>
            ${heads.map((head) => html`<th scope="col" class="number">${head}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    <p class="small">
      A request counts for each fault that lasted while it was under way, and for four seconds after, unless another
      begins. Refused: the answer says that nothing was done. Unknown: nobody can say.
    </p>
  </details>`
}

function recoveryOf({ recovered }: FaultFigures): string {
  if (recovered === null) return 'other fault'
  return recovered === 0 ? 'at once' : ms(recovered)
}

function versionsOf({ run }: History): string {
  const versions = Object.entries(run.versions).map(([name, version]) => `${name} ${version}`)
  return [`seed ${run.seed}`, ...versions].join(', ')
}
