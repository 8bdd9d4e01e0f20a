/** Sends a page, with what the session and its store did for it. */
import { CsrfError, type Sessions } from 'holdfast'
import type { Request, Response } from 'express'

import { html, trusted } from '../pages/html.ts'
import { document, POLICY } from '../pages/layout.ts'
import type { Page, TokenSight, View } from '../pages/view.ts'
import type { Fields, Ledger } from '../transfer.ts'
import { isServerName, type ServerName, type World } from '../worlds.ts'
import type { Here } from './here.ts'
import { workOf, type Trip } from './trips.ts'

export type Show = (
  request: Request,
  response: Response,
  page: (view: View) => Page,
  refusal?: unknown,
) => Promise<void>

/** For one world. `refusal`: the error, where the request was not accepted. */
export function showing(world: World, sessions: Sessions<Ledger>, here: Here): Show {
  return async (request, response, page, refusal) => {
    const session = sessions.of(request)
    // Holdfast saves by itself before a response leaves. Here it is done now, so that the page can tell how it went.
    const last = await session.commit()
    const { trips, outcomes, conflictsBefore } = workOf(request)
    const { status, handle, version, userId } = session
    const view: View = {
      world,
      server: here.name,
      madeBy: maker(request),
      surroundings: here.surroundings,
      session: { status, handle, version, userId },
      token: tokenSight(request, refusal),
      work: {
        trips,
        outcome: hasEnded(trips) ? 'ended' : (outcomes.at(-1) ?? last),
        conflicts: sessions.stats().conflicts - conflictsBefore,
      },
      hidden: html`${trusted(session.csrf.field())}<input type="hidden" name="madeBy" value="${here.name}" />`,
    }
    const shown = page(view)
    response
      .status(shown.status ?? 200)
      .set(HEADERS)
      .send(document(view, shown))
  }
}

const HEADERS = {
  'content-security-policy': POLICY,
  'cache-control': 'private, no-cache',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
}

function hasEnded(trips: readonly Trip[]): boolean {
  return trips.some(({ what, answer }) => what === 'end' && answer === 'done')
}

/** The server that made the form that came, by the form's own word: good enough to show, for nothing else. */
export function maker(request: Request): ServerName | undefined {
  const { madeBy } = fieldsOf(request)
  return isServerName(madeBy) ? madeBy : undefined
}

export function fieldsOf(request: Request): Fields {
  return typeof request.body === 'object' && request.body !== null ? (request.body as Fields) : {}
}

function tokenSight(request: Request, refusal: unknown): TokenSight {
  if (refusal instanceof CsrfError) return refusal.reason
  return request.method === 'POST' ? 'accepted' : 'none sent'
}
