/** The report: one page that needs nothing from elsewhere. */
import { unexcused } from '../checker/check.ts'
import { forgottenOf } from '../checker/forgotten.ts'
import { html, type Html } from './html.ts'
import { count, counted } from './numbers.ts'
import { controlsTable, rulesTable } from './rules.ts'
import { section, verdictOf } from './section.ts'
import { isFine, type Report, type Shown, titleOf } from './shown.ts'
import { STYLE } from './style.ts'

export function page(report: Report): string {
  const own = report.runs.filter(({ faulty }) => !faulty)
  const faulty = report.runs.filter((run) => run.faulty)
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>Holdfast: the proof</title>
        <link rel="icon" href="data:," />
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <header>
          <h1>Holdfast: the proof</h1>
          ${verdict(own, faulty)} ${tiles(own)}
          <p>
            Visitors with real cookie jars, through HAProxy to two servers over one store. What was broken meanwhile,
            what they were answered, and whether each rule held.
          </p>
        </header>
        <main>
          <section aria-labelledby="rules">
            <h2 id="rules">The rules</h2>
            ${rulesTable(report.runs)}
          </section>
          ${overview(report.runs)} ${own.map((shown) => section(shown, idOf(report, shown)))}
          ${controls(report, faulty)}
        </main>
        <footer class="small">
          <p>Made ${report.at.slice(0, 16).replace('T', ' ')} UTC by <code>${report.command}</code></p>
        </footer>
      </body>
    </html> `.text
}

function verdict(own: readonly Shown[], faulty: readonly Shown[]): Html {
  const bad = sum(own, ({ violations }) => unexcused(violations).length)
  const missed = faulty.filter((shown) => !isFine(shown)).length
  const rules = bad === 0 ? 'Every rule held.' : `Rules were broken: ${counted(bad, 'violation')}.`
  const found = missed === 0 ? 'What had to be found was found.' : `${counted(missed, 'control')} missed.`
  return html`<p class="verdict ${bad + missed === 0 ? 'held' : 'broken'}">
    ${own.length === 0 ? '' : rules} ${faulty.length === 0 ? '' : found}
  </p>`
}

function tiles(own: readonly Shown[]): Html {
  const bad = sum(own, ({ violations }) => unexcused(violations).length)
  const forgotten = forgottenOf(own.flatMap(({ violations }) => violations))
  const figures: readonly (readonly [value: number, one: string, several: string])[] = [
    [sum(own, ({ history }) => history.operations.length), 'request', 'requests'],
    [own.length, 'run', 'runs'],
    [sum(own, ({ history }) => history.faults.length), 'fault', 'faults'],
    [bad, 'violation', 'violations'],
    [forgotten.times, 'time a store forgot', 'times a store forgot'],
    [forgotten.noticed, 'of those noticed', 'of those noticed'],
  ]
  return html`<dl class="tiles">
    ${figures.map(
      ([value, one, several]) =>
        html`<div>
          <dt>${value === 1 ? one : several}</dt>
          <dd class="${one === 'violation' ? (value === 0 ? 'held' : 'broken') : ''}">${count(value)}</dd>
        </div>`,
    )}
  </dl>`
}

function overview(runs: readonly Shown[]): Html {
  return html`<nav aria-label="Runs">
    <ol>
      ${runs.map(
        (shown, at) =>
          html`<li>
            <a href="#run-${at + 1}">${titleOf(shown)}</a>
            <span class="tag ${isFine(shown) ? 'held' : 'broken'}">${verdictOf(shown)}</span>
          </li>`,
      )}
    </ol>
  </nav>`
}

function controls(report: Report, faulty: readonly Shown[]): Html {
  if (faulty.length === 0) return html``
  return html`<section aria-labelledby="controls">
      <h2 id="controls">Where something has to be found</h2>
      <p>
        The same visitors on other libraries, and on Holdfast with a protection taken out: a checker that finds nothing
        here finds nothing anywhere.
      </p>
      ${controlsTable(faulty)}
    </section>
    ${faulty.map((shown) => section(shown, idOf(report, shown)))}`
}

function idOf({ runs }: Report, shown: Shown): string {
  return `run-${runs.indexOf(shown) + 1}`
}

function sum(runs: readonly Shown[], value: (shown: Shown) => number): number {
  return runs.reduce((total, shown) => total + value(shown), 0)
}
