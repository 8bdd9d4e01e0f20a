/** What a request does with its session. Every operation waits for the one before it, and ends in one compare-and-set. */
import { CsrfError, HeadSentError, LimitError, OptionsError, SessionEndedError, type EndReason } from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type { CommitOutcome } from '../types.ts'
import { carriedData, type Carry, refusePromise } from './carried-data.ts'
import { standingOf, type Committed, type Gone } from './commits.ts'
import { endVisit } from './ending.ts'
import { renewalDue } from './expiry.ts'
import type { Holding, Identity } from './identity.ts'
import type { LiveRecord } from './live-record.ts'
import { endedMarker } from './record.ts'
import type { Services } from './services.ts'
import type { PendingData, SessionData } from './session-data.ts'
import { freshVerifier } from './session-id.ts'
import { raised, renewed } from './succession.ts'

const COLLISIONS_MOST = 4

/** A step of a change that comes after the data's: renewal, sign-in. */
type Alteration = (record: LiveRecord, now: number) => LiveRecord

const NOTHING_UNDER_WAY: Promise<unknown> = Promise.resolve()

const AS_IS: Alteration = (record) => record

export class SessionWork<Data extends object> {
  readonly identity: Identity
  readonly data: SessionData<Data>
  /** Whether the head of the answer has left: from then on nothing that needs a cookie. */
  headGone = false
  /** Whether the request came without evidence of its origin: it may do what a stranger may, but not sign in. */
  unproven = false
  readonly #services: Services
  /** Whether the CSRF check is still to be made, and so nothing may be changed. */
  unchecked = false
  /** Called whenever a session was stored: who waits for its end can begin to. */
  held: (() => void) | undefined
  readonly #revokeUser: (userId: string) => Promise<number>
  /** Why the session was found to be over, for the errors that say so. */
  #endedBy: EndReason | undefined
  #last: Promise<unknown> = NOTHING_UNDER_WAY
  #underWay = 0

  constructor(
    services: Services,
    identity: Identity,
    data: SessionData<Data>,
    revokeUser: (userId: string) => Promise<number>,
  ) {
    this.#services = services
    this.identity = identity
    this.data = data
    this.#revokeUser = revokeUser
  }

  /** Whether an operation is under way. */
  get busy(): boolean {
    return this.#underWay > 0
  }

  /** Whether there is anything to save before the answer leaves. */
  get pending(): boolean {
    return this.busy || this.data.changed || this.#renewalDue
  }

  /** Saves what is unsaved, with the renewal where it is due. */
  settle(): Promise<CommitOutcome> {
    return this.#inTurn(async () => {
      const pending = this.data.pending()
      if (this.identity.detached) return this.#dropped(pending, 'detached')
      if (!pending.changed && !this.#renewalDue) return 'unchanged'
      return this.#write(pending, this.#renewalDue ? this.#renewal() : AS_IS)
    })
  }

  commit(): Promise<CommitOutcome> {
    return this.#inTurn(async () => {
      const pending = this.data.pending()
      if (this.identity.detached) return this.#dropped(pending, 'detached')
      const { holding } = this.identity
      if (pending.changed) return this.#write(pending, AS_IS)
      return holding !== undefined && this.#services.touches.soon(holding.id.selector, holding.record)
        ? 'touched'
        : 'unchanged'
    })
  }

  update<Result>(change: (data: Data) => Result): Promise<Result> {
    return this.#inTurn(async () => {
      this.#refuseEnded()
      const pending = this.data.pending()
      let result: Result | undefined
      const changed: PendingData<Data> = {
        changed: true,
        mine: pending.mine,
        on: (payload) => {
          const { data, conflicts } = pending.on(payload)
          result = change(data)
          refusePromise(result)
          return { data, conflicts }
        },
      }
      const outcome = await this.#write(changed, AS_IS)
      if (outcome === 'gone') throw this.#ended()
      return result as Result
    })
  }

  reload(): Promise<void> {
    return this.#inTurn(async () => {
      const { holding } = this.identity
      if (holding === undefined) return this.data.reset(undefined)
      const found = await this.#look(holding)
      this.data.reset(found?.payload, holding.id.selector)
    })
  }

  touch(): Promise<void> {
    return this.#inTurn(async () => {
      const { holding } = this.identity
      const found = holding === undefined ? undefined : await this.#look(holding)
      if (holding === undefined || found === undefined) return
      if (!(await this.#services.touches.now(holding.id.selector, found))) this.#lost('revoked')
    })
  }

  regenerateId(previous: 'graced' | 'refused'): Promise<void> {
    return this.#inTurn(async () => {
      if (this.headGone) throw this.#tooLate('regenerateId()')
      if (previous === 'refused') this.#refuseEnded()
      if (this.identity.holding === undefined || this.identity.detached) return
      const verifier = previous === 'refused' ? freshVerifier(this.#services.random) : undefined
      const alter: Alteration =
        verifier === undefined ? this.#renewal() : (record, now) => raised(record, verifier, now)
      const outcome = await this.#write(this.data.pending(), alter, verifier)
      if (outcome !== 'gone') channels.lifecycle.publish({ handle: this.identity.handle, what: 'renewed' })
      else if (previous === 'refused') throw this.#ended()
    })
  }

  signIn(userId: string, carry: Carry): Promise<void> {
    return this.#inTurn(async () => {
      this.#checkSignIn(userId)
      const before = this.identity.holding
      // Whose the loaded data are, also where the session was lost on the way.
      const other = this.identity.owner
      const carried = other === undefined || other === userId ? carry : 'drop'
      if (this.identity.detached || (await this.#signInto(userId, carried)) === 'gone') {
        this.identity.startOver()
        // What was ended stays ended, its data too.
        const kept = this.#endedBy === 'revoked' || this.#endedBy === 'signed-out' ? 'drop' : carried
        if ((await this.#signInto(userId, kept)) === 'gone') throw this.#ended()
      }
      if (before !== undefined && other !== undefined && other !== userId)
        await this.#services.store.withdraw(other, before.id.selector)
      channels.lifecycle.publish({ handle: this.identity.handle, what: 'signed-in' })
    })
  }

  signOut(everywhere: boolean): Promise<void> {
    return this.#inTurn(async () => {
      if (this.unchecked) throw this.#unchecked()
      if (this.headGone) throw this.#tooLate('signOut()')
      this.identity.clear()
      const { handle } = this.identity
      const holding = this.identity.holding ?? this.identity.lost
      if (holding !== undefined) {
        const { userId } = holding.record
        if (everywhere && userId !== undefined) await this.#revokeUser(userId)
        const ended = await endVisit(this.#services, holding)
        if (ended && userId !== undefined) await this.#services.store.withdraw(userId, holding.id.selector)
        if (ended) this.#services.watchers.ended(holding.id.selector)
        if (ended) channels.lifecycle.publish({ handle, what: 'signed-out' })
      }
      this.identity.leave()
      this.data.reset(undefined)
    })
  }

  get #renewalDue(): boolean {
    const { holding } = this.identity
    return (
      holding !== undefined &&
      !this.headGone &&
      renewalDue(holding.record, this.#services.settings.timers, this.#services.clock.now())
    )
  }

  #renewal(): Alteration {
    return (record, now) =>
      this.identity.holding === undefined ? record : renewed(this.#services, record, this.identity.holding.id, now)
  }

  /** One change of this session, with what is unsaved. `fresh`: the verifier that the alteration brings. */
  async #write(
    pending: PendingData<Data>,
    alter: Alteration,
    fresh?: ReturnType<typeof freshVerifier>,
  ): Promise<CommitOutcome> {
    if (this.unchecked) throw this.#unchecked()
    if (this.headGone && this.identity.holding === undefined) throw this.#tooLate('storing the first value')
    for (let attempt = 0; ; attempt++) {
      const { holding } = this.identity
      const { id, known } = holding === undefined ? this.identity.visitor() : { id: holding.id, known: true }
      const { selector } = id
      let conflicts: readonly string[] = []
      const committed = await this.#services.commits.submit(
        selector,
        (record) => {
          const now = this.#services.clock.now()
          const entry = this.identity.foundation(record, now)
          if ('gone' in entry) return entry
          if (!pending.changed && record !== undefined) return alter(entry, now)
          const made = pending.on(record?.payload)
          conflicts = made.conflicts
          return alter({ ...entry, payload: this.data.encode(made.data) }, now)
        },
        holding?.bytes,
      )
      if (!('gone' in committed)) return this.#saved(pending, committed, conflicts, fresh)
      const collided = !known && committed.gone !== 'absent'
      if (!collided || attempt >= COLLISIONS_MOST) return this.#gone(pending, committed)
      channels.collision.publish({ what: 'selector' })
      this.identity.startOver()
    }
  }

  #saved(
    pending: PendingData<Data>,
    committed: Exclude<Committed, Gone>,
    conflicts: readonly string[],
    fresh?: ReturnType<typeof freshVerifier>,
  ): CommitOutcome {
    const first = this.identity.holding === undefined
    this.identity.learn(committed.record, committed.bytes, fresh)
    this.data.rebase(committed.record.payload, pending)
    const { handle, holding } = this.identity
    if (holding !== undefined) this.#services.touches.written(holding.id.selector)
    this.held?.()
    if (first) channels.lifecycle.publish({ handle, what: 'begun' })
    if (conflicts.length > 0) channels.conflict.publish({ handle, paths: conflicts })
    this.#services.counters.committed(handle, committed.done, committed.record.counter)
    return committed.done
  }

  #gone(pending: PendingData<Data>, { gone }: Gone): CommitOutcome {
    this.#services.counters.committed(this.identity.handle, 'gone', 0)
    if (pending.changed) this.#services.counters.drop(this.identity.handle, gone)
    this.#lost(gone)
    return 'gone'
  }

  /** The newest state of the session, if this request still has a right to it. */
  async #look(holding: Holding): Promise<LiveRecord | undefined> {
    const standing = standingOf(await this.#services.store.load(holding.id.selector))
    const record = 'record' in standing ? standing.record : undefined
    const found = 'gone' in standing ? standing : this.identity.foundation(record, this.#services.clock.now())
    if ('gone' in found) {
      this.#lost(found.gone)
      return undefined
    }
    if ('record' in standing) this.identity.refresh(standing.record, standing.bytes)
    return found
  }

  #lost(gone: Gone['gone']): void {
    const { holding } = this.identity
    this.#endedBy = gone === 'absent' || gone === 'unreadable' ? 'expired' : gone
    this.identity.lose()
    // What was superseded is over under its own epoch only: who signed in to the visit goes on.
    if (holding !== undefined)
      this.#services.watchers.ended(holding.id.selector, gone === 'superseded' ? holding.record.epoch : undefined)
  }

  /** Throws while the request's CSRF check is still to be made. */
  refuseUnchecked(): void {
    if (this.unchecked) throw this.#unchecked()
  }

  #refuseEnded(): void {
    if (this.identity.detached || this.identity.status === 'lapsed') throw this.#ended()
  }

  #dropped(pending: PendingData<Data>, reason: string): CommitOutcome {
    if (!pending.changed) return 'unchanged'
    this.#services.counters.drop(this.identity.handle, reason)
    this.#services.counters.committed(this.identity.handle, 'gone', 0)
    return 'gone'
  }

  /** Enters the visit in the user's index, then the user in the visit, and looks whether a revocation came in between. */
  async #signInto(userId: string, carry: Carry): Promise<'signed-in' | 'gone'> {
    const { store, settings, random } = this.#services
    const lifetime = settings.timers.absolute + settings.maxRequestTime
    const selector = (this.identity.holding?.id ?? this.identity.visitor().id).selector
    const { notBefore, now: storeNow } = await store.enroll(userId, selector, lifetime)
    const signedInAt = Math.max(Math.floor(storeNow), notBefore + 1)
    const verifier = freshVerifier(random)
    const pending = carriedData(this.data, carry)
    const outcome = await this.#write(
      pending,
      (record, now) =>
        raised(
          { ...record, userId, createdAt: Math.min(record.createdAt, signedInAt), signedInAt, sparedAt: undefined },
          verifier,
          now,
        ),
      verifier,
    )
    // An entry that leads nowhere is left alone: it may be that of the same user's other request, which went through.
    const entered = this.identity.holding?.id.selector
    if (outcome === 'gone' || entered === undefined) return 'gone'
    try {
      const after = await store.enroll(userId, entered, lifetime)
      if (after.notBefore < signedInAt) return 'signed-in'
      await store.end(entered, endedMarker('revoked'), settings.maxRequestTime, { user: userId })
    } catch (error) {
      // Nobody has looked whether the user was revoked meanwhile: this answer takes no id along.
      this.identity.lose()
      throw error
    }
    this.#lost('revoked')
    throw this.#ended()
  }

  #checkSignIn(userId: string): void {
    if (this.headGone) throw this.#tooLate('signIn()')
    const most = this.#services.settings.limits.userId
    // The index of a visitor's open cycles begins with the sign that no user id does.
    if (typeof userId !== 'string' || userId === '' || userId.startsWith('\0'))
      throw new OptionsError('userId', 'signIn(userId) needs a user id: a string that is not empty, nor begins with NUL.')
    if (Buffer.byteLength(userId) > most)
      throw new LimitError(
        'userId',
        `The user id has ${Buffer.byteLength(userId)} bytes; limits.userId allows ${most}.`,
      )
    if (this.unproven)
      throw new CsrfError(
        'no-evidence',
        'A request that shows neither its origin nor a CSRF token cannot sign in: send a token with it.',
      )
  }

  #ended(): SessionEndedError {
    const { handle } = this.identity
    const reason = this.#endedBy ?? (this.identity.detached ? 'superseded' : 'expired')
    return new SessionEndedError(
      reason,
      `The session is over (${reason}): the change was not made. Ask the visitor to sign in again.`,
      { handle },
    )
  }

  #unchecked(): CsrfError {
    return new CsrfError(
      'body-not-parsed',
      'This route is checked later, and the check has not been made yet: call csrf() or verifyCsrf() before the session is changed.',
      { handle: this.identity.handle },
    )
  }

  #tooLate(what: string): HeadSentError {
    return new HeadSentError(
      `${what} needs a cookie, and the head of the response has left: do it before the first byte of the body.`,
      { handle: this.identity.handle },
    )
  }

  #inTurn<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.#underWay++
    const turn = this.#last.then(operation).finally(() => this.#underWay--)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}
