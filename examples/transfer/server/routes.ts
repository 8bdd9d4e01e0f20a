/**
 * The transfer, in one world. Each form is answered with the next step's page itself: one step, one request, so
 * that every step is seen to go to the next server. (With a redirect after each, a step would be two requests.)
 * The address of every page names its transfer, so that it can be asked for again, on any server.
 */
import type { Sessions } from 'holdfast'
import { Router, type Request, type RequestHandler } from 'express'

import { donePage } from '../pages/done.ts'
import { amountPage, confirmPage, detailsPage, signInPage } from '../pages/forms.ts'
import { unsettledPage } from '../pages/troubles.ts'
import type { Page, View } from '../pages/view.ts'
import { SIGNED_OUT, whySignedOut } from '../pages/words.ts'
import { BLANK, type Leg, type Transfer, type TransferKind, type Visit } from '../transfer.ts'
import { carryOut } from './carry-out.ts'
import { fieldsOf, idOf, maker, readAmount, readDetails, readUserId, tokenOf } from './fields.ts'
import type { Here } from './here.ts'
import type { Entry, Ledger } from './ledger.ts'
import type { Show } from './show.ts'

/** What the routes of one world are made of. */
export interface Parts {
  readonly sessions: Sessions<Visit>
  readonly transfer: TransferKind
  readonly ledger: Ledger
  readonly show: Show
  readonly here: Here
}

export function transferRoutes(parts: Parts): Router {
  const routes = Router()
  signInRoutes(routes, parts)
  routes.use(onlySignedIn(parts))
  stepRoutes(routes, parts)
  endRoutes(routes, parts)
  pageRoutes(routes, parts)
  return routes
}

function signInRoutes(routes: Router, { sessions, transfer, show }: Parts): void {
  routes.post('/sign-in', async (request, response) => {
    const user = readUserId(fieldsOf(request))
    if ('wrong' in user) {
      return show(request, response, (view) => signInPage(view, { values: fieldsOf(request), wrong: user.wrong }))
    }
    const session = sessions.of(request)
    await session.signIn(user.value)
    const cycle = await transfer.begin(session)
    return show(request, response, (view) => amountPage(view, cycle))
  })

  routes.post('/sign-out', async (request, response) => {
    await sessions.of(request).signOut()
    return show(request, response, (view) => signInPage(view, {}, SIGNED_OUT))
  })
}

/** Everything below is for those who are signed in; others get the sign-in page, and why. */
function onlySignedIn({ sessions, show }: Parts): RequestHandler {
  return (request, response, next) => {
    if (sessions.of(request).userId !== undefined) return next()
    return show(request, response, (view) => signInPage(view, {}, whySignedOut(view)))
  }
}

/** The two steps. Each may be taken again, from a page that the visitor went back to or that another server made. */
function stepRoutes(routes: Router, { sessions, transfer, show, here }: Parts): void {
  routes.post('/amount', async (request, response) => {
    const session = sessions.of(request)
    const amount = readAmount(fieldsOf(request))
    if ('wrong' in amount) {
      const cycle = await transfer.load(session, tokenOf(request))
      return show(request, response, (view) => amountPage(view, cycle, { values: fieldsOf(request), ...amount }))
    }
    const way = [legOf(request, here, 'Amount')]
    const cycle = await transfer.step(
      session,
      tokenOf(request),
      (draft = BLANK) => ({ ...draft, ...amount.value, way }),
      'amount',
    )
    return show(request, response, (view) => detailsPage(view, cycle))
  })

  routes.post('/details', async (request, response) => {
    const session = sessions.of(request)
    const details = readDetails(fieldsOf(request))
    if ('wrong' in details) {
      const cycle = await transfer.load(session, tokenOf(request))
      return show(request, response, (view) => detailsPage(view, cycle, { values: fieldsOf(request), ...details }))
    }
    const leg = legOf(request, here, 'Details')
    const cycle = await transfer.step(
      session,
      tokenOf(request),
      (draft = BLANK) => ({ ...draft, ...details.value, way: [...draft.way.slice(0, 1), leg] }),
      'details',
    )
    return show(request, response, (view) => confirmPage(view, cycle))
  })
}

/** The end, which happens once; and the other end, where nothing happens. */
function endRoutes(routes: Router, { sessions, transfer, ledger, show, here }: Parts): void {
  routes.post('/confirm', async (request, response) => {
    const session = sessions.of(request)
    const user = String(session.userId)
    const confirmation = {
      user,
      leg: legOf(request, here, 'Confirmation'),
      slowly: fieldsOf(request)['slowly'] === 'yes',
    }
    const { result: receipt, repeated } = await transfer.finish(session, tokenOf(request), (step) =>
      carryOut(step, confirmation, ledger),
    )
    // Who sends the form again is answered the same, and writes the same.
    const id = idOf(request) ?? ''
    const { receipts } = session.data
    receipts[receipt.idempotencyKey] = id
    const entries = await ledger.entriesOf(user)
    const outcome = { id, token: tokenOf(request), receipt, repeated, entries, receipts }
    return show(request, response, (view) => donePage(view, outcome))
  })

  routes.post('/drop', async (request, response) => {
    const session = sessions.of(request)
    await transfer.abandon(session, tokenOf(request))
    const cycle = await transfer.begin(session)
    return show(request, response, (view) => amountPage(view, cycle))
  })
}

/** Every page under its own address, as far as its transfer has come; without one, a new transfer. */
function pageRoutes(routes: Router, { sessions, transfer, ledger, show }: Parts): void {
  routes.get('/{:page}', async (request, response) => {
    const session = sessions.of(request)
    const id = idOf(request)
    const cycle = id === undefined ? await transfer.begin(session) : await transfer.load(session, id)
    const entries = cycle.status === 'done' ? await ledger.entriesOf(session.userId) : []
    const { receipts } = session.data
    const wanted = request.params['page']
    return show(request, response, (view) => pageOf(view, cycle, { wanted, entries, receipts }))
  })
}

interface Asked {
  readonly wanted: string | undefined
  readonly entries: readonly Entry[]
  readonly receipts: Visit['receipts']
}

/** The page that was asked for, where the transfer has come so far; else the one that it has come to. */
function pageOf(view: View, cycle: Transfer, { wanted, entries, receipts }: Asked): Page {
  const { id, token, status, result: receipt, next } = cycle
  if (receipt !== undefined) return donePage(view, { id, token, receipt, repeated: false, entries, receipts })
  if (status !== 'open') return unsettledPage(view, cycle)
  if (wanted === 'amount' || cycle.step === undefined) return amountPage(view, cycle)
  if (wanted === 'details' || next === 'details') return detailsPage(view, cycle)
  return confirmPage(view, cycle)
}

function legOf(request: Request, { name }: Here, form: string): Leg {
  return { form, madeBy: maker(request) ?? name, receivedBy: name }
}
