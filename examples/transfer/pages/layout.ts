/** What surrounds every page. One document holds everything: nothing else is fetched through the balancer. */
import { createHash } from 'node:crypto'

import { WORLDS } from '../worlds.ts'
import { facts } from './facts.ts'
import { madeHere } from './forms.ts'
import { html, trusted, type Html } from './html.ts'
import { map } from './map.ts'
import { SCRIPT } from './script.ts'
import { STYLE } from './style.ts'
import { address, addressOf, STEPS, type Page, type Step, type View } from './view.ts'

export function document(view: View, page: Page): string {
  const { world } = view
  const title = `${page.title} · ${world.title} · Holdfast`
  return html`${trusted('<!doctype html>')}
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="${ICON}" />
        ${page.again !== undefined && html`<meta http-equiv="refresh" content="${page.again}; url=${addressOf(view, page)}" />`}
        ${STYLE_ELEMENT}
      </head>
      <body data-address="${addressOf(view, page)}">
        <a class="skip" href="#step">Skip to the form</a>
        ${header(view)}
        <main>
          ${worlds(view)} ${map(view, page)}
          <div class="columns">
            <section class="card step" id="step" tabindex="-1" aria-labelledby="step-title">
              ${page.step !== undefined && steps(page.step)}
              <h2 id="step-title">${page.title}</h2>
              ${page.body}
            </section>
            ${facts(view, page)}
          </div>
        </main>
        <footer><p>Everything here runs on your machine. No money moves.</p></footer>
        ${SCRIPT_ELEMENT}
      </body>
    </html> `.text
}

function header(view: View): Html {
  const { userId } = view.session
  return html`<header>
    <p class="brand">${MARK} Holdfast</p>
    <h1>One visit, two servers</h1>
    ${
      userId !== undefined &&
      html`<form class="account" method="post" action="${address(view, 'sign-out')}">
        ${view.csrf}${madeHere(view)}
        <span>Signed in as <strong>${userId}</strong></span>
        <button type="submit">Sign out</button>
      </form>`
    }
  </header>`
}

/** The switch. Links, for each world is a visit of its own, with a cookie of its own. */
function worlds({ world: here }: View): Html {
  const links = Object.values(WORLDS).map(
    ({ id, title, summary }) =>
      html`<li>
        <a href="/${id}/" ${id === here.id && html`aria-current="page"`}>
          <strong>${title}</strong> <span>${summary}</span>
        </a>
      </li>`,
  )
  return html`<nav aria-label="Where sessions live">
    <ul class="worlds">
      ${links}
    </ul>
  </nav>`
}

const NAMES: Readonly<Record<Step, string>> = {
  amount: 'Amount',
  details: 'Details',
  confirm: 'Confirmation',
  done: 'Done',
}

function steps(current: Step): Html {
  const at = STEPS.indexOf(current)
  const items = STEPS.map((step, index) => {
    const state = index < at ? html`class="past"` : index === at && html`aria-current="step"`
    return html`<li ${state}>${NAMES[step]}</li>`
  })
  return html`<ol class="steps" aria-label="Steps of the transfer">
    ${items}
  </ol>`
}

/** Two lines made fast to one ring. */
const MARK = trusted(
  '<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><g fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round"><circle cx="16" cy="21" r="7"/><path d="M4 4 11.5 15.5M28 4 20.5 15.5"/></g></svg>',
)

const ICON = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><g fill="none" stroke="#1f7a6b" stroke-width="4" stroke-linecap="round"><circle cx="16" cy="21" r="7"/><path d="M4 4 11.5 15.5M28 4 20.5 15.5"/></g></svg>',
)}`

// Whole, because the policy below knows them by their exact text.
const STYLE_ELEMENT = trusted(`<style>${STYLE}</style>`)
const SCRIPT_ELEMENT = trusted(`<script>${SCRIPT}</script>`)

/** Only what is in the document itself may run or style it. */
export const POLICY = [
  "default-src 'none'",
  `style-src '${hashOf(STYLE)}'`,
  `script-src '${hashOf(SCRIPT)}'`,
  'img-src data:',
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
