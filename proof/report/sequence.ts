/** A violation with the requests that show it, in their order, and when they were under way. */
import type { Violation } from '../checker/violations.ts'
import type { History, Operation } from '../history/history.ts'
import { html, type Html } from './html.ts'
import { moment, ms } from './numbers.ts'

const WIDTH = 120

export function sequence({ operations }: History, { name, text, at, operations: places }: Violation): Html {
  const own = places.flatMap((place) => operations[place] ?? []).toSorted((left, right) => left.began - right.began)
  const from = Math.min(...own.map(({ began }) => began))
  const length = Math.max(1, Math.max(...own.map(({ ended }) => ended)) - from)
  const rows = own.map((operation) => row(operation, (time) => Math.round(((time - from) / length) * WIDTH)))
  return html`<details>
    <summary><code class="broken">${name}</code> at ${moment(at)}: ${text}</summary>
    <div class="wide" role="region" aria-label="The requests that show it" tabindex="0">
      <table class="sequence">
        <thead>
          <tr>
            <th scope="col" class="number">began</th>
            <th scope="col" class="number">took</th>
            <th scope="col" aria-label="under way"></th>
            <th scope="col">visit</th>
            <th scope="col">asked</th>
            <th scope="col">server</th>
            <th scope="col">answer</th>
            <th scope="col">shown</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </details>`
}

function row(operation: Operation, x: (time: number) => number): Html {
  const { began, ended, visit, server, outcome } = operation
  const wide = Math.max(3, x(ended) - x(began))
  return html`<tr>
    <td class="number">${moment(began)}</td>
    <td class="number">${ms(ended - began)}</td>
    <td>
      <svg class="span" viewBox="0 0 ${WIDTH + 3} 10" width="${WIDTH + 3}" height="10" aria-hidden="true">
        <rect
          class="${outcome === 'acknowledged' ? 'good' : 'bad'}"
          x="${x(began)}"
          y="2"
          width="${wide}"
          height="6"
          rx="2"
        />
      </svg>
    </td>
    <td>${visit}</td>
    <td><b>${operation.kind}</b> ${askedOf(operation)}</td>
    <td>${server ?? ''}</td>
    <td>${answerOf(operation)}</td>
    <td>${seenOf(operation)}</td>
  </tr>`
}

function askedOf({ asked }: Operation): string {
  return Object.entries(asked)
    .filter(([, value]) => value !== false)
    .map(([name, value]) => (value === true ? name : `${name}: ${value}`))
    .join(', ')
}

function answerOf({ status, code, outcome, result, repeated }: Operation): string {
  const head = status === 0 ? 'none' : String(status)
  const end = result === undefined ? undefined : `${result}${repeated === true ? ' (repeated)' : ''}`
  return [`${outcome}: ${head}`, code, end].filter((part) => part !== undefined).join(', ')
}

function seenOf({ seen }: Operation): string {
  if (seen === undefined) return ''
  const { user, owner, cart, count, mark } = seen
  const items = cart.length === 0 ? 'empty cart' : `cart ${cart.join(' ')}`
  return `${user ?? 'nobody'}, session of ${owner ?? 'nobody'}, ${items}, count ${count}, mark ${mark}`
}
