/** Ends the session of a request, also while the store fails: the browser forgets it at once, and the store is told as soon as it can be. */
import { StoreUnavailableError } from '../errors.ts'
import { endOfHolding, endOfPresented, endOrKeep } from './ending.ts'
import type { Services } from './services.ts'
import type { SessionWork } from './session-work.ts'
import type { Durable } from './store.ts'

/** Signs out; with `everywhere`, of every session of the user. Whatever becomes of it, the request has no session afterwards, and its answer clears the cookies. */
export async function signOut<Data extends object>(
  work: SessionWork<Data>,
  services: Services,
  everywhere: boolean,
): Promise<Durable> {
  const { identity } = work
  const holding = identity.holding ?? identity.lost
  const ends =
    work.unread !== undefined
      ? identity.presentedIds().map((id) => endOfPresented(services, id))
      : holding === undefined
        ? []
        : [endOfHolding(services, holding)]
  if (ends.length === 0) noteVain(work, services)
  const ending = ends.map((end) => endOrKeep(services, 'signed-out', end))
  // What was not adopted yet would be, with the next request.
  const old = identity.old === undefined ? [] : (services.adoption?.endsOf(identity.old) ?? [])
  const others = old.filter(({ selector }) => !ends.some((end) => end.selector === selector))
  ending.push(...others.map((end) => endOrKeep(services, 'signed-out', end)))
  if (everywhere) ending.push(endOthers(work, holding?.record.userId))
  const ended = await Promise.allSettled(ending)
  identity.leave()
  work.data.reset(undefined)
  work.unavailable = undefined
  work.unread = undefined
  const failed = ended.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return { durable: ended.every((one) => one.status === 'fulfilled' && one.value.durable) }
}

/** The session is over, or this process still asks a server that has lost its place, and a sign-in elsewhere has not. */
function noteVain<Data extends object>({ identity, replacements }: SessionWork<Data>, services: Services): void {
  const until = services.clock.now() + services.settings.maxRequestTime
  for (const id of identity.presentedIds())
    services.ends.foundNothing({ ...endOfPresented(services, id), until }, replacements)
}

async function endOthers<Data extends object>(work: SessionWork<Data>, userId: string | undefined): Promise<Durable> {
  if (work.unread !== undefined)
    throw new StoreUnavailableError(
      'The session could not be read, so it is not known whose other sessions are to be ended: they live on. Sign in and out everywhere again when the store is back.',
      { cause: work.unread },
    )
  return userId === undefined ? { durable: true } : work.revokeUser(userId)
}
