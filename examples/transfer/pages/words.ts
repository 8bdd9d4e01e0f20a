/** What happened, in plain words. Nothing here is guessed: where a cause is not known, it says what is. */
import type { CsrfReason } from 'holdfast'

import { otherServer } from '../worlds.ts'
import { html, type Html } from './html.ts'
import { address, type Outcome, type Page, type TripSight, type View } from './view.ts'

/** The one sentence over the diagram. */
export function whatHappened({ server, madeBy, token }: View): string {
  if (madeBy === undefined) return `Server ${server} answered this page.`
  const received = token === 'accepted' ? 'received it and answered' : 'received it and refused it'
  if (madeBy === server) return `Server ${server} made the form you sent, ${received}.`
  return `Server ${madeBy} made the form you sent. Server ${server} ${received}.`
}

/** How often something was done. */
export function timesWords(times: number): string {
  return ['not at all', 'once', 'twice'][times] ?? `${times} times`
}

export function clockTime(at: Date): string {
  return at.toLocaleTimeString('en-GB')
}

/** The page for a submission that was refused. */
export function refusedPage(view: View, reason: CsrfReason): Page {
  const { world } = view
  return {
    path: '',
    title: 'Refused',
    status: 403,
    body: html`<div class="notice bad" role="alert">
        <p><strong>Your form was refused, and server ${view.server} transferred nothing.</strong></p>
        ${whyRefused(view, reason)} ${inItsWords(view, reason)}
      </div>
      <p class="actions">
        ${wayOn(view)} ${world.id !== 'shared' && html`<a href="/shared/">The same visit in the shared world</a>`}
      </p>`,
  }
}

/** A session that a server has never heard of and one that is over look alike to it: it finds nothing. */
export function isUnknownHere({ world, session }: View): boolean {
  return world.store === 'own' && session.status === 'lapsed'
}

function inItsWords(view: View, reason: CsrfReason): Html {
  if (reason !== 'session-ended' || !isUnknownHere(view))
    return html`<p class="small">In Holdfast’s words: <code>${reason}</code></p>`
  return html`<p class="small">
    Server ${view.server} finds nothing in its memory and can only take the session for one that is over. In Holdfast’s
    words: <code>${reason}</code>
  </p>`
}

/** In the memory world the other server still knows the visitor; elsewhere a lapsed session is over. */
function wayOn(view: View): Html {
  const over = view.session.status === 'lapsed' && view.world.id !== 'memory'
  return over
    ? html`<a class="button" href="${address(view, '')}">Sign in again</a>`
    : html`<a class="button" href="${address(view, '')}">Open a form again</a>`
}

function whyRefused(view: View, reason: CsrfReason): Html {
  const { world, server, madeBy, session } = view
  if (session.status !== 'lapsed' || reason === 'token-missing') {
    return html`<p>
      Every form carries a token that only our own pages know. The one that came with this form does not belong to your
      present session: you may have signed in or out since it was made.
    </p>`
  }
  if (world.store === 'one') {
    return html`<p>
      The session that this form was made in is over: you signed out, or it ran out of time. The store that both servers
      use says so, and no form of it is accepted any more.
    </p>`
  }
  if (madeBy === server) {
    return html`<p>
      Server ${server} made this form, and kept your session in its own memory, where it is no more: the process was
      killed and started again, or the session ran out of time. You are signed out.
    </p>`
  }
  return world.balancing === 'pins' ? outOfReach(view) : neverHeard(view)
}

function neverHeard({ server, madeBy }: View): Html {
  const maker = madeBy ?? otherServer(server)
  return html`<p>
    Server ${maker} made this form, and keeps your session and the transfer that you began in its own memory. The
    balancer handed your submission to server ${server}, which has never heard of either, and so cannot tell your form
    from a forged one.
  </p>`
}

function outOfReach({ server, madeBy }: View): Html {
  const maker = madeBy ?? otherServer(server)
  return html`<p>
    Your session and the transfer that you began were in the memory of server ${maker}, which is gone. The balancer sent
    you to server ${server}, which has never heard of them: you are signed out, and what you had filled in is lost. If
    the transfer was being carried out, no server can say what became of it.
  </p>`
}

/** Said on the sign-in page to someone whose session was not found. */
export function whySignedOut({ world, server, session }: View): Html | undefined {
  if (session.status !== 'lapsed') return undefined
  const other = otherServer(server)
  if (world.store === 'one') return html`<p class="notice bad">Your session is over. Please sign in again.</p>`
  return html`<p class="notice bad">
    Your browser brought the cookie of a session that server ${server} does not know.
    ${
      world.balancing === 'pins'
        ? `It was kept in the memory of a server that has been killed: you are signed out. If a transfer was being carried out, no server can say what became of it.`
        : `If server ${other} still runs, it may know it: each keeps its own sessions.`
    }
  </p>`
}

export const SIGNED_OUT: Html = html`<p class="notice good">
  You are signed out. Every form of that session is refused from now on, on both servers.
</p>`

/** What became of the session, in a sentence. */
export const OUTCOMES: Readonly<Record<Outcome, string>> = {
  unchanged: 'the session’s data are as they were',
  touched: 'only the time of the last visit moves',
  saved: 'written before this page was sent',
  merged: 'written together with another request’s change',
  gone: 'the session is over; the change was dropped',
  ended: 'the session is over; nothing brings it back',
}

/** What a call to the store is for. `before`: the calls before it, of the same request. */
export function callWords(trip: TripSight, before: readonly TripSight[]): string {
  return trip.about === 'cycle' ? cycleWords(trip, before) : sessionWords(trip, before.at(-1))
}

function sessionWords({ what }: TripSight, before: TripSight | undefined): string {
  const written = (before?.what === 'create' || before?.what === 'replace') && before.answer === 'done'
  // A sign-in enters the user's list before it writes, and asks again after: a revocation may have come in between.
  if (what === 'enroll' && written) return 'look whether the user was revoked meanwhile'
  return FOR_SESSION[what] ?? ''
}

function cycleWords({ what, replicated }: TripSight, before: readonly TripSight[]): string {
  const claims = before.filter((trip) => isClaim(trip))
  const ours = claims.some(({ answer }) => answer === 'done')
  if (what === 'patch' && replicated) return 'claim its end, for one request only'
  if (what === 'patch') return ours ? 'tell that the end still runs' : 'mark it as in doubt'
  if (what === 'replace' && replicated) return 'write the outcome in place of the claim'
  if (what === 'load' && claims.length > 0) return 'look for the outcome'
  return FOR_CYCLE[what] ?? ''
}

function isClaim({ about, what, replicated }: TripSight): boolean {
  return about === 'cycle' && what === 'patch' && replicated
}

const FOR_SESSION: Readonly<Record<string, string>> = {
  load: 'read the session',
  create: 'store it for the first time',
  replace: 'write, if unchanged since it was read',
  touch: 'move the idle deadline',
  end: 'put the mark of its end in its place',
  enroll: 'enter it in the user’s list',
  withdraw: 'take it off the user’s list',
  roll: 'read the user’s list',
}

const FOR_CYCLE: Readonly<Record<string, string>> = {
  load: 'read the cycle',
  create: 'store it with its first step',
  replace: 'write its step, if unchanged since it was read',
  end: 'put the mark of its end in its place',
  enroll: 'enter it in the list of open cycles',
  withdraw: 'take it off the list of open cycles',
  roll: 'count the open cycles',
  epoch: 'ask for the store’s time',
}
