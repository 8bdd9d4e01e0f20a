/** A visitor with a cycle: its first page, its step, and its end, sent several times at once. */
import { setTimeout as pause } from 'node:timers/promises'

import { Browser, type Answer } from '../browser.ts'
import { HALT, LEASE } from './stage.ts'

/** How a submission ended for whoever sent it. */
export type Outcome =
  | { readonly what: 'done'; readonly entry: number; readonly repeated: boolean }
  | { readonly what: 'in-doubt' }
  /** Nobody could say within the time that the promise allows. */
  | { readonly what: 'stuck' }
  | { readonly what: 'unexpected'; readonly status: number; readonly code: string }

export interface Submission {
  readonly outcome: Outcome
  /** How often it was told that the end still runs, or that nobody can answer just now. */
  readonly busy: number
  /** How often no answer came. */
  readonly lost: number
  readonly server: string | undefined
  /** Milliseconds until the outcome. */
  readonly lasted: number
}

/** Beyond the lease: what clocks may differ by, a server that stands still with the question, and a full machine. */
const BOUND: number = 1_000 + HALT + 4_000
const AGAIN = 100
const TRIES_MOST = 200

interface Said {
  readonly server?: string
  readonly token?: string
  readonly result?: { readonly entry: number }
  readonly repeated?: boolean
  readonly code?: string
}

/** Goes through a cycle, up to its end, and sends that `copies` times in parallel. */
export async function goThrough(origin: string, name: string, copies: number): Promise<readonly Submission[]> {
  const browser = new Browser([origin])
  const begun = await insist(() => browser.get(0, `/begin?name=${name}`))
  const step = await insist(() => browser.post(0, '/details', { _csrf: begun.token ?? '', to: 'Bob' }))
  const form = { _csrf: step.token ?? '' }
  return Promise.all(Array.from({ length: copies }, () => submit(() => browser.send(0, 'POST', '/confirm', { form }))))
}

/** What a visitor who reloads does until the page comes. */
async function insist(act: () => Promise<Answer>): Promise<Said> {
  for (let tries = 0; tries < TRIES_MOST; tries++) {
    const answer = await act().catch(() => undefined)
    if (answer?.status === 200) return saidBy(answer)
    await pause(AGAIN)
  }
  throw new Error('No server let a visitor begin.')
}

async function submit(send: () => Promise<Answer>): Promise<Submission> {
  const begun = performance.now()
  const counts = { busy: 0, lost: 0 }
  for (;;) {
    const answer = await send().catch(() => undefined)
    const said = answer === undefined ? {} : saidBy(answer)
    const outcome = answer === undefined ? undefined : outcomeOf(answer.status, said)
    const lasted = performance.now() - begun
    if (outcome !== undefined) return { outcome, ...counts, server: said.server, lasted }
    if (answer?.status === 503 && said.code !== undefined) counts.busy++
    else counts.lost++
    if (lasted > LEASE + BOUND) return { outcome: { what: 'stuck' }, ...counts, server: undefined, lasted }
    await pause(AGAIN)
  }
}

/** `undefined`: worth another try. */
function outcomeOf(status: number, { result, repeated, code }: Said): Outcome | undefined {
  if (status === 200 && result !== undefined) return { what: 'done', entry: result.entry, repeated: repeated === true }
  if (code === 'ERR_CYCLE_IN_DOUBT') return { what: 'in-doubt' }
  // The balancer's own answers: the server died with the request, or none is there.
  if (status === 503 || status === 502) return undefined
  return { what: 'unexpected', status, code: code ?? '' }
}

function saidBy({ body, headers }: Answer): Said {
  return headers['content-type']?.includes('json') === true ? (JSON.parse(body) as Said) : {}
}
