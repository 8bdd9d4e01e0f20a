/** A server's letter, in its colour and its shape. */
import type { ServerName } from '../worlds.ts'
import { html, type Html } from './html.ts'

export function chip(name: ServerName): Html {
  return html`<span class="chip chip-${name}"><span class="unseen">server </span>${name}</span>`
}
