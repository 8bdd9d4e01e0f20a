/** Sends a page, with what the session and its store did for it. */
import { CsrfError, type HoldfastError, type Sessions } from 'holdfast'
import type { Request, Response } from 'express'

import { trusted } from '../pages/html.ts'
import { document, POLICY } from '../pages/layout.ts'
import type { Page, TokenSight, View } from '../pages/view.ts'
import type { Visit } from '../transfer.ts'
import type { World } from '../worlds.ts'
import { maker } from './fields.ts'
import type { Here } from './here.ts'
import { workOf, type Trip } from './trips.ts'

export type Show = (
  request: Request,
  response: Response,
  page: (view: View) => Page,
  refusal?: HoldfastError,
) => Promise<void>

/** For one world. `refusal`: the error, where the request was not accepted. */
export function showing(world: World, sessions: Sessions<Visit>, here: Here): Show {
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
      csrf: trusted(session.csrf.field()),
    }
    const shown = page(view)
    response
      .status(shown.status ?? 200)
      .set({ ...HEADERS, ...refusal?.headers })
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
  return trips.some(({ about, what, answer }) => about === 'session' && what === 'end' && answer === 'done')
}

function tokenSight(request: Request, refusal: unknown): TokenSight {
  if (refusal instanceof CsrfError) return refusal.reason
  return request.method === 'POST' ? 'accepted' : 'none sent'
}
