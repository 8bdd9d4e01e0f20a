/** The report: one page that needs nothing from elsewhere. */
import { unexcused } from '../checker/check.ts'
import { RULES, type RuleName, type Violation } from '../checker/violations.ts'
import type { History, Operation } from '../history/history.ts'
import { faultsOf, isAnswered, percentile } from './figures.ts'
import { html, type Html } from './html.ts'
import { STYLE } from './style.ts'
import { timeline } from './timeline.ts'

/** One run of the programme, as the report shows it. */
export interface Shown {
  readonly history: History
  readonly violations: readonly Violation[]
  /** Of a control or a mutant: in which something has to be found. */
  readonly faulty: boolean
  /** Repeats it. */
  readonly command: string
}

export interface Report {
  /** When it was made, as ISO 8601. */
  readonly at: string
  readonly command: string
  readonly runs: readonly Shown[]
}

/** Of each run so many violations are shown with their part of the history. */
const SHOWN_MOST = 12

export function page(report: Report): string {
  const own = report.runs.filter(({ faulty }) => !faulty)
  const others = report.runs.filter(({ faulty }) => faulty)
  const requests = own.reduce((sum, { history }) => sum + history.operations.length, 0)
  const bad = own.reduce((sum, { violations }) => sum + unexcused(violations).length, 0)
  const excused = own.reduce((sum, { violations }) => sum + violations.length, 0) - bad
  const verdict = bad === 0 ? 'Every rule held.' : `${count(bad)} violations.`
  const document = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>Holdfast: the proof</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <header>
          <h1>Holdfast: the proof</h1>
          <p class="verdict ${bad === 0 ? 'held' : 'broken'}">${verdict}</p>
          <p>
            ${count(requests)} requests of visitors with real cookie jars, through HAProxy, to two server processes, in
            ${own.length} runs with ${count(own.reduce((sum, { history }) => sum + history.faults.length, 0))} faults.
            ${
              excused === 0
                ? ''
                : `${count(excused)} times a store that forgot what it had acknowledged was to be seen; these are counted apart.`
            }
          </p>
          <p class="small">Made ${report.at.slice(0, 16).replace('T', ' ')} UTC by <code>${report.command}</code></p>
        </header>
        <main>
          <section>
            <h2>The rules</h2>
            ${rules(own, others)}
          </section>
          ${own.map(section)}
          ${
            others.length === 0
              ? html``
              : html`<h2 class="apart">Where something has to be found</h2>
                  ${others.map(section)}`
          }
        </main>
      </body>
    </html> `
  return document.text
}

function rules(own: readonly Shown[], others: readonly Shown[]): Html {
  const names = Object.keys(RULES) as RuleName[]
  const counted = (runs: readonly Shown[], rule: RuleName): { bad: number; excused: number } => {
    const all = runs.flatMap(({ violations }) => violations).filter(({ name }) => name === rule)
    const bad = unexcused(all).length
    return { bad, excused: all.length - bad }
  }
  const rows = names.map((name) => {
    const { bad, excused } = counted(own, name)
    const found = counted(others, name)
    return html`<tr>
      <td>${RULES[name].rule}</td>
      <td class="number ${bad > 0 ? 'bad' : ''}">${count(bad)}</td>
      <td class="number">${excused === 0 ? '' : count(excused)}</td>
      ${others.length === 0 ? html`` : html`<td class="number">${count(found.bad)}</td>`}
    </tr>`
  })
  const last = others.length === 0 ? html`` : html`<th class="number">found in controls and mutants</th>`
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          <th>rule</th>
          <th class="number">violations</th>
          <th class="number">store forgot</th>
          ${last}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`
}

function section(shown: Shown): Html {
  const { history, violations } = shown
  const bad = unexcused(violations)
  return html`<section>
    <h2>${titleOf(shown)} <span class="tag ${isFine(shown) ? 'held' : 'broken'}">${summaryOf(shown)}</span></h2>
    <p class="small">${figuresOf(history)}</p>
    <div class="wide">${timeline(history, bad)}</div>
    <p class="legend small">
      <span class="key good"></span> answered <span class="key bad"></span> failed <span class="key p50"></span> p50
      <span class="key p99"></span> p99 of the waiting times <span class="key band"></span> a fault lasts
      <span class="key violation"></span> violation
    </p>
    ${faultTable(history)} ${bad.slice(0, SHOWN_MOST).map((violation) => violationOf(history, violation))}
    ${bad.length > SHOWN_MOST ? html`<p>And ${count(bad.length - SHOWN_MOST)} more.</p>` : html``}
    <p class="small">Again: <code>${shown.command}</code><br />${versionsOf(history)}</p>
  </section>`
}

function titleOf({ history: { run } }: Shown): string {
  const what = run.target === 'holdfast' ? '' : `${run.target}, `
  const without = run.mutant === undefined ? '' : `, mutant ${run.mutant}`
  return `${what}${run.scenario} on ${run.store}${run.durability === 'replicated' ? ', replicated' : ''}${without}`
}

function isFine({ faulty, violations }: Shown): boolean {
  return faulty === unexcused(violations).length > 0
}

function summaryOf({ violations, faulty }: Shown): string {
  const bad = unexcused(violations).length
  if (faulty) return bad === 0 ? 'nothing was found' : `found: ${count(bad)}`
  return bad === 0 ? 'held' : `${count(bad)} violations`
}

function figuresOf({ operations, run }: History): string {
  const answered = operations.filter(isAnswered)
  const times = answered.map(({ began, ended }) => ended - began)
  const shares = run.servers.map((name) => {
    const own = answered.filter(({ server }) => server?.startsWith(`${name}#`) === true).length
    return `${name} ${((own / Math.max(1, answered.length)) * 100).toFixed(1)} %`
  })
  return `${count(operations.length)} requests in ${run.seconds} s, ${count(operations.length - answered.length)} of them failed; half within ${ms(percentile(times, 0.5))}, 99 of 100 within ${ms(percentile(times, 0.99))}; answered by ${shares.join(', ')}.`
}

function faultTable(history: History): Html {
  const figures = faultsOf(history)
  if (figures.length === 0) return html``
  const rows = figures.map(
    (one) =>
      html`<tr>
        <td>${one.name}</td>
        <td class="number">${(one.began / 1_000).toFixed(1)} s</td>
        <td class="number">${ms(one.lasted)}</td>
        <td class="number">${count(one.requests)}</td>
        <td class="number">${count(one.refused)}</td>
        <td class="number">${count(one.unknown)}</td>
        <td class="number">${ms(one.silence)}</td>
        <td class="number">${ms(one.recovered)}</td>
      </tr>`,
  )
  const heads = ['at', 'lasted', 'requests', 'refused', 'unknown', 'longest silence', 'last failure after it']
  return html`<details>
    <summary>${figures.length} faults in figures</summary>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th>fault</th>
            ${heads.map((head) => html`<th class="number">${head}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </details>`
}

function violationOf({ operations }: History, { name, text, at, operations: places }: Violation): Html {
  const rows = places.flatMap((place) => {
    const operation = operations[place]
    return operation === undefined ? [] : [operationRow(operation)]
  })
  return html`<details class="violation-part">
    <summary><b>${name}</b> at ${(at / 1_000).toFixed(2)} s: ${text}</summary>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th>from</th>
            <th>to</th>
            <th>visit</th>
            <th>asked</th>
            <th>server</th>
            <th>answer</th>
            <th>seen</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </details>`
}

function operationRow({ began, ended, visit, kind, asked, server, status, code, outcome, seen }: Operation): Html {
  const shown =
    seen === undefined
      ? ''
      : `${seen.user ?? 'nobody'}, ${seen.cart.length} items, count ${seen.count}, mark ${seen.mark}`
  return html`<tr>
    <td class="number">${ms(began)}</td>
    <td class="number">${ms(ended)}</td>
    <td>${visit}</td>
    <td>${kind} ${Object.values(asked).join(' ')}</td>
    <td>${server ?? ''}</td>
    <td>${status === 0 ? 'none' : status} ${code ?? ''} ${outcome}</td>
    <td>${shown}</td>
  </tr>`
}

function versionsOf({ run }: History): string {
  return Object.entries(run.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')
}

function count(value: number): string {
  return value.toLocaleString('en').replaceAll(',', ' ')
}

function ms(milliseconds: number): string {
  if (milliseconds >= 10_000) return `${(milliseconds / 1_000).toFixed(1)} s`
  return `${milliseconds >= 10 ? count(Math.round(milliseconds)) : milliseconds.toFixed(1)} ms`
}
