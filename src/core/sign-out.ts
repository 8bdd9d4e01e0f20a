/** Ends the session of a request, also while the store fails: the browser forgets it at once, and the store is told as soon as it can be. */
import { StoreUnavailableError } from '../errors.ts'
import { endOfHolding, endOrKeep, endsOfPresented } from './ending.ts'
import type { PendingEnd } from './ends.ts'
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
  const selectors = new Set(identity.presentedIds().map(({ selector }) => selector))
  const pending = [...selectors].flatMap((selector) => services.ends.pending(selector) ?? [])
  const ends =
    work.unread !== undefined
      ? endsOfPresented(services, identity.presentedIds())
      : holding !== undefined
        ? [endOfHolding(services, holding)]
        : // Who was told that the store did not take it asks again: it is done when the store has it.
          pending
  if (ends.length === 0) noteVain(work, services)
  const ending: Promise<unknown>[] = ends.map((end) => endOrKeep<unknown>(services, 'signed-out', end))
  // What was not adopted yet would be, with the next request.
  const old = identity.old === undefined ? [] : (services.adoption?.endsOf(identity.old) ?? [])
  const others = old.filter(({ selector }) => !ends.some((end) => end.selector === selector))
  ending.push(...others.map((end) => endOrKeep(services, 'signed-out', end)))
  if (everywhere) ending.push(endOthers(work, holding === undefined ? userOf(pending) : holding.record.userId))
  const ended = await Promise.allSettled(ending)
  identity.leave()
  work.data.reset(undefined)
  work.unavailable = undefined
  work.unread = undefined
  const failed = ended.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return { durable: ended.every((one) => one.status === 'fulfilled' && isDurable(one.value)) }
}

/** The session is over, or this process still asks a server that has lost its place, and a sign-in elsewhere has not. */
function noteVain<Data extends object>({ identity, replacements }: SessionWork<Data>, services: Services): void {
  const until = services.clock.now() + services.settings.maxRequestTime
  for (const end of endsOfPresented(services, identity.presentedIds()))
    services.ends.foundNothing({ ...end, until }, replacements)
}

/** Of an end that was written again for a store that was replaced nothing else is known. */
function isDurable(answer: unknown): boolean {
  return (answer as Partial<Durable> | undefined)?.durable !== false
}

/** Whose the sessions are that are to be ended: `null` where it is not known. */
function userOf(pending: readonly PendingEnd[]): string | undefined | null {
  const known = pending.find(({ userId }) => typeof userId === 'string')?.userId
  if (typeof known === 'string') return known
  return pending.some(({ userId }) => userId === undefined) ? null : undefined
}

async function endOthers<Data extends object>(
  work: SessionWork<Data>,
  userId: string | undefined | null,
): Promise<Durable> {
  if (work.unread !== undefined || userId === null)
    throw new StoreUnavailableError(
      'The session could not be read, so it is not known whose other sessions are to be ended: they live on. Sign in and out everywhere again when the store is back.',
      { cause: work.unread },
    )
  return userId === undefined ? { durable: true } : work.revokeUser(userId)
}
