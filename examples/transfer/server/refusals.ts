/** What cannot go on: every error ends on a page that says why, and how to go on. */
import { CsrfError, HoldfastError } from 'holdfast'
import { CycleError } from 'holdfast/cycle'
import { answerWith } from 'holdfast/node'
import type { ErrorRequestHandler, Request } from 'express'

import { brokenPage, troublePage, type Trouble } from '../pages/troubles.ts'
import { refusedPage } from '../pages/words.ts'
import { idOf } from './fields.ts'
import type { Parts } from './routes.ts'

/** What `errors: 'forward'` hands on ends here. The rest gets Holdfast's own small page, such as a 503. */
export function refusals(parts: Parts): ErrorRequestHandler {
  const { show } = parts
  return async (error: unknown, request, response, _next) => {
    if (error instanceof CsrfError) return show(request, response, (view) => refusedPage(view, error.reason), error)
    if (error instanceof CycleError) {
      const trouble = await troubleOf(error, request, parts)
      return show(request, response, (view) => troublePage(view, trouble), error)
    }
    if (error instanceof HoldfastError) return answerWith(error, request, response)
    console.error(error)
    return show(request, response, (view) => brokenPage(view, idOf(request)))
  }
}

/** The error, and what there is to show beside it: the ledger's word where there is doubt, what is open where there is too much. */
async function troubleOf(error: CycleError, request: Request, { sessions, transfer, ledger }: Parts): Promise<Trouble> {
  const entries = error.idempotencyKey === undefined ? [] : await ledger.entriesUnder(error.idempotencyKey)
  const open = error.code === 'ERR_CYCLE_LIMIT' ? await transfer.list(sessions.of(request)) : []
  return { error, id: idOf(request), entries, open }
}
