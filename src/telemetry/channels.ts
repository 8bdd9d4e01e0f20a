/**
 * Events, as `node:diagnostics_channel`s: nothing is paid where nobody listens. A session is named by its
 * handle only. `docs/telemetry.md` lists them.
 */
import { channel, type Channel } from 'node:diagnostics_channel'

/** Something was tried that a session's owner does not do: an id that came back after its grace. */
export const theft: Channel = channel('holdfast:theft')
/** A fresh selector met an existing record, or a lease was held by another process; both were replaced. */
export const collision: Channel = channel('holdfast:collision')
/** Two requests changed the same place; the later won. Message: `{ handle, paths }`. */
export const conflict: Channel = channel('holdfast:conflict')
/** A commit ended, with its outcome as `CommitOutcome`. Message: `{ handle, outcome, version }`. */
export const commit: Channel = channel('holdfast:commit')
/** A change was dropped because its session is over or its response had left. Message: `{ handle, reason, paths }`. */
export const dropped: Channel = channel('holdfast:dropped')
/** A session was begun, adopted, renewed, signed in, or ended. Message: `{ handle, what, why }` with `why: 'maxPerUser'` where newer sign-ins ended it. */
export const lifecycle: Channel = channel('holdfast:lifecycle')
/** A request was refused, or passed and counts as noteworthy: a stale token, or in report mode what `under` ('auto' or 'strict') would have refused. `odd`: its `Sec-Fetch-Site` was no value that we know. `origin` and `site` are the request's `Origin` and `Sec-Fetch-Site`, cut off at 200 characters. Message: `{ reason, mode, under, passed, odd, method, path, origin, site }`. */
export const csrf: Channel = channel('holdfast:csrf')
/** A cookie was not accepted. Message: `{ cookie, why }` with `why` one of `malformed`, `forged`, `unknown-key`, `expired`. */
export const cookie: Channel = channel('holdfast:cookie')
/** Two live sessions of different identity came in one request; neither was used. */
export const ambiguous: Channel = channel('holdfast:ambiguous')
/** The final step of an action cycle. Message: `{ cycle, what, handle, idempotencyKey }` with `what` one of `done`, `failed`, `reopened`, `repeated`, `in-doubt`, `lost` (its outcome was not recorded). */
export const cycle: Channel = channel('holdfast:cycle')
/** The store failed. Message: `{ store, operation, error }`. */
export const store: Channel = channel('holdfast:store')
/** The store does not answer reads or writes any more (`open`), or answers them again (`closed`). Message: `{ store, calls, state, error }`. */
export const breaker: Channel = channel('holdfast:breaker')
/** An end that could not be written was `kept`, was `written` after all, or was `given-up`; or one that the store had lost was written again, and its session was alive until then (`revived`). Message: `{ handle, what }`. */
export const end: Channel = channel('holdfast:end')
/** Another server took the place of the store's, or the same one lost its memory: so many ends are written again. Message: `{ store, ends }`. */
export const replaced: Channel = channel('holdfast:replaced')
/** The store has an older version of a session than a browser was shown, or has an id of: it has lost what it acknowledged. Message: `{ handle, shown, found }`, both versions; `shown` is `undefined` where only the id tells it, `found` is 0 where nothing is left. */
export const lost: Channel = channel('holdfast:lost')
/** A record could not be read: garbage, or a newer format. Message: `{ handle, why }`. */
export const unreadable: Channel = channel('holdfast:unreadable')
/** What became of a session of another library: `adopted` (`dropped` are the places that did not come along), `refused` with `why` one of `adopted` (before), `ended`, `revoked`, `superseded`, or `ended`. Message: `{ kind, what, why, handle, dropped }`. */
export const adoption: Channel = channel('holdfast:adoption')
