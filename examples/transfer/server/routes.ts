/**
 * The transfer, in one world. Each form is answered with the next step's page itself: one step, one request, so
 * that every step is seen to go to the next server. (With a redirect after each, a step would be two requests.)
 * A step can be sent again without harm, and every page can be asked for again under an address of its own.
 */
import { CsrfError, HoldfastError, type Sessions } from 'holdfast'
import { answerWith } from 'holdfast/node'
import { Router, type ErrorRequestHandler, type Request, type RequestHandler } from 'express'

import { donePage } from '../pages/done.ts'
import { confirmPage, detailsPage, entryPage, signInPage } from '../pages/forms.ts'
import { refusedPage, SIGNED_OUT, whySignedOut } from '../pages/words.ts'
import {
  carryOut,
  isComplete,
  newDraft,
  readDetails,
  readEntry,
  readUserId,
  type Ledger,
  type Leg,
} from '../transfer.ts'
import type { Here } from './here.ts'
import { fieldsOf, maker, type Show } from './show.ts'

export function transferRoutes(sessions: Sessions<Ledger>, show: Show, here: Here): Router {
  const routes = Router()
  signInRoutes(routes, sessions, show)
  routes.use(onlySignedIn(sessions, show))
  pageRoutes(routes, sessions, show)
  formRoutes(routes, sessions, show, here)
  return routes
}

function signInRoutes(routes: Router, sessions: Sessions<Ledger>, show: Show): void {
  routes.post('/sign-in', async (request, response) => {
    const user = readUserId(fieldsOf(request))
    if ('wrong' in user) {
      return show(request, response, (view) => signInPage(view, { values: fieldsOf(request), wrong: user.wrong }))
    }
    const session = sessions.of(request)
    await session.signIn(user.value)
    return show(request, response, (view) => entryPage(view, session.data.draft))
  })

  routes.post('/sign-out', async (request, response) => {
    await sessions.of(request).signOut()
    return show(request, response, (view) => signInPage(view, {}, SIGNED_OUT))
  })
}

/** Everything below is for those who are signed in; others get the sign-in page, and why. */
function onlySignedIn(sessions: Sessions<Ledger>, show: Show): RequestHandler {
  return (request, response, next) => {
    if (sessions.of(request).userId !== undefined) return next()
    return show(request, response, (view) => signInPage(view, {}, whySignedOut(view)))
  }
}

/** Every page under its own address, filled in as far as the session knows. */
function pageRoutes(routes: Router, sessions: Sessions<Ledger>, show: Show): void {
  routes.get(['/', '/entry'], (request, response) =>
    show(request, response, (view) => entryPage(view, sessions.of(request).data.draft)),
  )
  routes.get('/details', (request, response) => {
    const { draft } = sessions.of(request).data
    return show(request, response, (view) => (draft ? detailsPage(view, draft) : entryPage(view, draft)))
  })
  routes.get('/confirm', (request, response) => {
    const { draft } = sessions.of(request).data
    return show(request, response, (view) => (isComplete(draft) ? confirmPage(view, draft) : entryPage(view, draft)))
  })
  routes.get('/done', (request, response) => {
    const { transfers, draft } = sessions.of(request).data
    const last = transfers.at(-1)
    return show(request, response, (view) => (last ? donePage(view, last, transfers, false) : entryPage(view, draft)))
  })
}

function formRoutes(routes: Router, sessions: Sessions<Ledger>, show: Show, here: Here): void {
  const leg = (request: Request, form: string): Leg => ({
    form,
    madeBy: maker(request) ?? here.name,
    receivedBy: here.name,
  })

  routes.post('/entry', (request, response) => {
    const { data } = sessions.of(request)
    const entry = readEntry(fieldsOf(request))
    if ('wrong' in entry) {
      return show(request, response, (view) => entryPage(view, data.draft, { values: fieldsOf(request), ...entry }))
    }
    const draft = { ...(data.draft ?? newDraft(entry.value)), ...entry.value, way: [leg(request, 'Amount')] }
    data.draft = draft
    return show(request, response, (view) => detailsPage(view, draft))
  })

  routes.post('/details', (request, response) => {
    const { draft } = sessions.of(request).data
    const details = readDetails(fieldsOf(request))
    if (draft === undefined) return show(request, response, (view) => entryPage(view, draft))
    if ('wrong' in details) {
      return show(request, response, (view) => detailsPage(view, draft, { values: fieldsOf(request), ...details }))
    }
    const complete = Object.assign(draft, details.value)
    draft.way = [...draft.way.slice(0, 1), leg(request, 'Details')]
    return show(request, response, (view) => confirmPage(view, complete))
  })

  routes.post('/confirm', async (request, response) => {
    const session = sessions.of(request)
    const id = String(fieldsOf(request)['transfer'])
    // An exact read-modify-write: sent twice at the same moment, to both servers, it is still carried out once.
    const done = await session.update((ledger) => carryOut(ledger, id, leg(request, 'Confirmation'), new Date()))
    const { transfers, draft } = session.data
    return show(request, response, (view) =>
      done ? donePage(view, done.transfer, transfers, done.repeated) : entryPage(view, draft),
    )
  })
}

/** What `errors: 'forward'` hands on ends here: the page says why. The rest gets Holdfast's own small page, such as a 503. */
export function refusals(show: Show): ErrorRequestHandler {
  return async (error: unknown, request, response, next) => {
    if (error instanceof CsrfError) await show(request, response, (view) => refusedPage(view, error.reason), error)
    else if (error instanceof HoldfastError) answerWith(error, request, response)
    else next(error)
  }
}
