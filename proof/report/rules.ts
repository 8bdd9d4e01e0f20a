/** What was checked, and what was found: a table of the rules, one of the controls and mutants. */
import { unexcused } from '../checker/check.ts'
import { type Forgotten, forgottenOf } from '../checker/forgotten.ts'
import { RULES, type RuleName, type Violation } from '../checker/violations.ts'
import { html, type Html } from './html.ts'
import { count, percent } from './numbers.ts'
import { isFine, type Shown, titleOf } from './shown.ts'

export interface RuleFigures {
  readonly violations: number
  /** Where the store itself forgot. */
  readonly forgotten: Forgotten
  /** In how many controls and mutants this rule was found broken. */
  readonly foundIn: number
}

/** Every rule, also those that nothing broke. */
export function rulesOf(runs: readonly Shown[]): Readonly<Record<RuleName, RuleFigures>> {
  const all = runs.filter(({ faulty }) => !faulty).flatMap(({ violations }) => violations)
  const faulty = runs.filter((run) => run.faulty)
  const figures = (Object.keys(RULES) as RuleName[]).map((rule): [RuleName, RuleFigures] => {
    const broken = all.filter(({ name }) => name === rule)
    const foundIn = faulty.filter((run) => unexcused(run.violations).some(({ name }) => name === rule)).length
    return [rule, { violations: unexcused(broken).length, forgotten: forgottenOf(broken), foundIn }]
  })
  return Object.fromEntries(figures) as Record<RuleName, RuleFigures>
}

export function rulesTable(runs: readonly Shown[]): Html {
  const faulty = runs.filter((run) => run.faulty).length
  const rows = Object.entries(rulesOf(runs)).map(
    ([name, { violations, forgotten, foundIn }]) =>
      html`<tr>
        <th scope="row"><span class="rule">${RULES[name as RuleName].rule}</span> <code>${name}</code></th>
        <td class="number ${violations > 0 ? 'broken' : 'held'}">${count(violations)}</td>
        <td class="number">${count(forgotten.times)}</td>
        <td class="number">${shareOf(forgotten.noticed, forgotten.times)}</td>
        <td class="number">${shareOf(forgotten.ofSession, forgotten.times)}</td>
        ${faulty === 0 ? html`` : html`<td class="number">${foundIn} of ${faulty}</td>`}
      </tr>`,
  )
  return html`<div class="wide" role="region" aria-label="The rules" tabindex="0">
    <table class="rules">
      <thead>
        <tr>
          <th scope="col">rule</th>
          <th scope="col" class="number">broken</th>
          <th scope="col" class="number">store forgot</th>
          <th scope="col" class="number">noticed</th>
          <th scope="col" class="number">of this session</th>
          ${faulty === 0 ? html`` : html`<th scope="col" class="number">in controls</th>`}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
    <p class="small">
      Noticed: Holdfast itself told of it in an event, about this very session, or at least about the store, between the
      fault and a second after it showed.
    </p>
  </div>`
}

/** `7 (87.5 %)`; nothing of nothing is no share. */
function shareOf(part: number, whole: number): string {
  return whole === 0 ? '–' : `${count(part)} (${percent(part, whole)})`
}

export function controlsTable(faulty: readonly Shown[]): Html {
  const rows = faulty.map(
    (shown) =>
      html`<tr>
        <th scope="row">${titleOf(shown)}</th>
        <td>${foundAs(shown.violations)}</td>
        <td><span class="tag ${isFine(shown) ? 'held' : 'broken'}">${isFine(shown) ? 'found' : 'missed'}</span></td>
      </tr>`,
  )
  return html`<div class="wide" role="region" aria-label="Controls and mutants" tabindex="0">
    <table>
      <thead>
        <tr>
          <th scope="col">control or mutant</th>
          <th scope="col">what was found, and how often</th>
          <th scope="col">verdict</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`
}

function foundAs(violations: readonly Violation[]): Html {
  const bad = unexcused(violations)
  const names = [...new Set(bad.map(({ name }) => name))]
  if (names.length === 0) return html`nothing`
  return html`${names.map(
    (name) =>
      html`<span class="found"><code>${name}</code> ${count(bad.filter((one) => one.name === name).length)}</span> `,
  )}`
}
