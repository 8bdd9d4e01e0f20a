/** The page's style: a few custom properties, light and dark, one column that becomes two. */
import { MAP_STYLE } from './map-style.ts'

const TOKENS = `
:root {
  color-scheme: light dark;
  --ground: #f3f4f1;
  --surface: #ffffff;
  --sunken: #f7f8f5;
  --ink: #1a2125;
  --soft: #55616a;
  --line: #dcdfd9;
  --edge: #7d878c;
  --accent: #14685a;
  --on-accent: #ffffff;
  --accent-wash: #e3f1ed;
  --a: #2457a6;
  --a-wash: #e6edf9;
  --b: #9c4410;
  --b-wash: #fbece1;
  --good: #17694a;
  --good-wash: #e4f3eb;
  --bad: #a3262a;
  --bad-wash: #fbe9e8;
  --shadow: 0 1px 2px rgb(26 33 37 / 5%), 0 6px 20px rgb(26 33 37 / 5%);
  --round: 0.875rem;
  --mono: ui-monospace, 'SF Mono', 'Cascadia Code', 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #101416;
    --surface: #181e21;
    --sunken: #13181b;
    --ink: #e7ebe8;
    --soft: #a2adb2;
    --line: #2b3438;
    --edge: #76838a;
    --accent: #63c7b2;
    --on-accent: #08201b;
    --accent-wash: #16302b;
    --a: #8ab6f7;
    --a-wash: #1a2a42;
    --b: #f0a674;
    --b-wash: #3a2617;
    --good: #74cfa3;
    --good-wash: #15301f;
    --bad: #f59a97;
    --bad-wash: #3a1c1c;
    --shadow: none;
  }
}
`

const BASE = `
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
h1, h2, h3, p, dl, dd, ul, ol, table { margin: 0; padding: 0; }
ul, ol { list-style: none; }
h2 { font-size: 1.25rem; line-height: 1.3; letter-spacing: -0.01em; text-wrap: balance; }
h3 { font-size: 0.9375rem; line-height: 1.35; }
a { color: var(--accent); text-underline-offset: 0.2em; }
code { font-family: var(--mono); font-size: 0.875em; overflow-wrap: anywhere; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 0.375rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: 1rem; top: -4rem; padding: 0.5rem 1rem; background: var(--surface); z-index: 1; }
.skip:focus { top: 0.5rem; }
main, header, footer { max-width: 70rem; margin: 0 auto; padding: 0 1.25rem; }
footer { color: var(--soft); font-size: 0.875rem; padding-block: 1.5rem 2.5rem; }
main { display: grid; gap: 1.25rem; }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: var(--round); padding: 1.25rem; box-shadow: var(--shadow); min-width: 0; }
.columns { display: grid; gap: 1.25rem; align-items: start; }
@media (min-width: 52rem) {
  main, header, footer { padding-inline: 2rem; }
  .card { padding: 1.75rem; }
  .columns { grid-template-columns: minmax(0, 1.35fr) minmax(0, 1fr); }
}
`

const HEADER = `
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 1.25rem; padding-block: 1.25rem; }
.brand { display: flex; gap: 0.5rem; align-items: center; align-self: center; font-weight: 700; font-size: 1.125rem; letter-spacing: -0.01em; }
.brand svg { color: var(--accent); }
h1 { font-size: 1rem; font-weight: 400; color: var(--soft); flex: 1; min-width: 12rem; }
.account { display: flex; gap: 0.875rem; align-items: baseline; font-size: 0.9375rem; }
.account span { overflow-wrap: anywhere; }
.worlds { display: grid; gap: 0.375rem; background: var(--surface); border: 1px solid var(--line); border-radius: var(--round); padding: 0.375rem; }
.worlds a { display: block; height: 100%; padding: 0.625rem 0.875rem; border-radius: 0.5625rem; color: var(--soft); text-decoration: none; font-size: 0.9375rem; }
.worlds strong { color: var(--ink); display: block; }
.worlds a:hover { background: var(--sunken); }
.worlds [aria-current] { background: var(--accent-wash); color: var(--ink); box-shadow: inset 0 0 0 2px var(--accent); }
.worlds [aria-current] strong::after { content: ' ✓'; color: var(--accent); }
@media (min-width: 44rem) { .worlds { grid-template-columns: repeat(3, 1fr); } }
@media (max-width: 43.99rem) {
  .worlds { grid-template-columns: repeat(3, 1fr); }
  .worlds a { padding: 0.5rem 0.25rem; text-align: center; white-space: nowrap; }
  .worlds li span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
}
`

const FORMS = `
.lead { margin: 0.5rem 0 1.25rem; max-width: 34rem; }
.step p + p, .key { margin-top: 0.625rem; }
.field { margin-block: 1.125rem; display: grid; gap: 0.25rem; max-width: 26rem; }
label { font-weight: 600; }
input, select, button, .button { font: inherit; color: inherit; }
input, select { width: 100%; min-height: 2.875rem; padding: 0.5rem 0.75rem; background: var(--sunken); border: 1px solid var(--edge); border-radius: 0.5rem; }
.check { display: flex; gap: 0.625rem; align-items: center; }
.check input { width: 1.25rem; min-height: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--accent); }
[aria-invalid] { border: 2px solid var(--bad); }
.hint, .small { color: var(--soft); font-size: 0.875rem; }
.wrong { color: var(--bad); font-weight: 600; font-size: 0.9375rem; }
button { cursor: pointer; min-height: 2.25rem; padding: 0.25rem 0.875rem; border: 1px solid var(--edge); border-radius: 0.5rem; background: transparent; }
button:hover { border-color: var(--ink); }
button:disabled, [aria-disabled='true'] { cursor: default; color: var(--soft); border-style: dashed; }
.primary, .button { display: inline-block; min-height: 2.875rem; padding: 0.625rem 1.375rem; font-weight: 600; text-decoration: none; background: var(--accent); color: var(--on-accent); border: 1px solid var(--accent); border-radius: 0.5rem; }
.primary:hover, .button:hover { filter: brightness(1.1); }
.primary { margin-top: 0.375rem; }
.actions { display: flex; flex-wrap: wrap; gap: 0.75rem 1.5rem; align-items: center; margin-top: 1.5rem; }
.aside-link { margin-top: 1.25rem; }
.notice { margin: 0.875rem 0 1.25rem; padding: 0.875rem 1rem; border-radius: 0.5rem; border-inline-start: 4px solid; }
.notice p + p { margin-top: 0.5rem; }
.good { background: var(--good-wash); border-color: var(--good); }
.bad { background: var(--bad-wash); border-color: var(--bad); }
.bad .small { color: inherit; }
.good-word { color: var(--good); }
.bad-word { color: var(--bad); }
.steps { display: flex; flex-wrap: wrap; gap: 0.375rem 1.25rem; counter-reset: step; margin-bottom: 1.25rem; font-size: 0.9375rem; color: var(--soft); }
.steps li { counter-increment: step; display: flex; gap: 0.5rem; align-items: center; }
.steps li::before { content: counter(step); display: grid; place-items: center; width: 1.625rem; height: 1.625rem; border: 1px solid var(--edge); border-radius: 50%; font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
.steps .past::before { content: '✓'; color: var(--accent); border-color: var(--accent); }
.steps [aria-current] { color: var(--ink); font-weight: 600; }
.steps [aria-current]::before { background: var(--accent); color: var(--on-accent); border-color: var(--accent); }
`

const DATA = `
.chip { display: inline-grid; place-items: center; min-width: 1.5rem; height: 1.5rem; padding: 0 0.375rem; border-radius: 0.375rem; font-weight: 700; font-size: 0.8125rem; line-height: 1; }
.chip-A { color: var(--a); background: var(--a-wash); box-shadow: inset 0 0 0 1px var(--a); }
.chip-B { color: var(--b); background: var(--b-wash); box-shadow: inset 0 0 0 1px var(--b); border-radius: 0.75rem; }
.facts dl { margin-top: 0.75rem; }
.facts dl > div { display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); gap: 0.75rem; padding: 0.5rem 0; border-top: 1px solid var(--line); font-size: 0.9375rem; }
.facts dl > div:first-child { border: 0; }
dt { color: var(--soft); }
.trips { margin-top: 0.25rem; color: var(--soft); }
.trips li { padding-inline-start: 1rem; text-indent: -1rem; }
.trips code { color: var(--ink); }
.summary { margin: 1rem 0 1.25rem; padding: 0.375rem 1rem; background: var(--sunken); border: 1px solid var(--line); border-radius: 0.5rem; max-width: 26rem; }
.summary > div { display: flex; justify-content: space-between; gap: 1rem; padding: 0.5rem 0; }
.summary > div + div { border-top: 1px solid var(--line); }
.summary dd { text-align: end; overflow-wrap: anywhere; }
.step h3 { margin-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; max-width: 30rem; font-size: 0.9375rem; }
caption { text-align: start; color: var(--soft); padding: 0.125rem 0 0.375rem; }
th, td { text-align: start; padding: 0.4375rem 0.5rem 0.4375rem 0; border-top: 1px solid var(--line); font-weight: 400; vertical-align: top; }
thead th { color: var(--soft); border: 0; font-size: 0.875rem; }
.number { text-align: end; font-variant-numeric: tabular-nums; }
`

export const STYLE: string = [TOKENS, BASE, HEADER, FORMS, DATA, MAP_STYLE].join('')
