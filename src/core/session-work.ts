/** What a request does with its session. Every operation waits for the one before it, and ends in one compare-and-set. */
import {
  CommitUnknownError,
  CsrfError,
  HeadSentError,
  LimitError,
  SessionEndedError,
  StoreUnavailableError,
  UnconfirmedError,
  type EndReason,
} from '../errors.ts'
import * as channels from '../telemetry/channels.ts'
import type { CommitOutcome } from '../types.ts'
import { type Carry, refusePromise } from './carried-data.ts'
import { standingOf, type Committed, type Gone } from './commits.ts'
import { renewalDue } from './expiry.ts'
import type { Holding, Identity } from './identity.ts'
import type { LiveRecord } from './live-record.ts'
import type { Services } from './services.ts'
import type { PendingData, SessionData } from './session-data.ts'
import { freshVerifier, type Verifier } from './session-id.ts'
import { signIn } from './sign-in.ts'
import { signOut } from './sign-out.ts'
import type { Durability, Durable } from './store.ts'
import { clone } from './values.ts'
import type { SentHead } from './visit.ts'
import { raised, renewed } from './succession.ts'

const COLLISIONS_MOST = 4

/** A step of a change that comes after the data's: renewal, sign-in. */
type Alteration = (record: LiveRecord, now: number) => LiveRecord

/** What a change came to. `durable`: not `false` for want of replicas that it asked for. */
export interface Written extends Durable {
  readonly outcome: CommitOutcome
}

/** How a change is written. `fresh`: the verifier that its alteration brings. `durability`: other than the manager's. */
interface Writing {
  readonly fresh?: Verifier | undefined
  readonly durability?: Durability | undefined
}

const NOTHING_UNDER_WAY: Promise<unknown> = Promise.resolve()

const AS_IS: Alteration = (record) => record

export class SessionWork<Data extends object> {
  readonly identity: Identity
  readonly data: SessionData<Data>
  /** Ends every session of a user. */
  readonly revokeUser: (userId: string) => Promise<Durable>
  /** Whether the head of the answer has left: from then on nothing that needs a cookie. */
  headGone = false
  /** The head of the answer, once it has left. */
  head: SentHead | undefined
  /** Whether a token of this session is in the answer, so that no other visitor may be shown it. */
  personal = false
  /** Set where the request came without evidence of its origin: it may do what a stranger may, but a sign-in calls this, which throws. */
  unproven: (() => void) | undefined
  /** Whether the CSRF check is still to be made, and so nothing may be changed. */
  unchecked = false
  /** Whether it is known that no renewal is due. */
  quiet = false
  /** Why the store could not be asked: the session is a copy, which can be read and signed out of. */
  unavailable: StoreUnavailableError | undefined
  /** The same where there is no copy either: nothing is known of the session, and it can be signed out of and nothing else. */
  unread: StoreUnavailableError | undefined
  /** Called when something was stored after the head of the answer has left. */
  late: (() => Promise<void>) | undefined
  /** Called whenever a session was stored: who waits for its end can begin to. */
  held: (() => void) | undefined
  /** Why the session was found to be over, for the errors that say so. */
  endedBy: EndReason | undefined
  /** How often the store had been replaced when the request came. */
  readonly replacements: number
  readonly #services: Services
  /** Whether something of this request was stored, or may have been. */
  #stored = false
  #last: Promise<unknown> = NOTHING_UNDER_WAY
  #underWay = 0

  constructor(
    services: Services,
    identity: Identity,
    data: SessionData<Data>,
    revokeUser: (userId: string) => Promise<Durable>,
  ) {
    this.#services = services
    this.replacements = services.ends.replacements
    this.identity = identity
    this.data = data
    this.revokeUser = revokeUser
  }

  /** Whether an operation is under way. */
  get busy(): boolean {
    return this.#underWay > 0
  }

  /** Whether there is anything to save before the answer leaves. */
  get pending(): boolean {
    return this.busy || this.data.changed || this.#renewalDue
  }

  /** Saves what is unsaved, with the renewal where it is due. Throws `UnconfirmedError` for a change that is stored and not confirmed. */
  settle(): Promise<CommitOutcome> {
    return this.#inTurn(async () => {
      const pending = this.data.pending()
      if (pending.changed) this.#refuseReadOnly('a change of its data')
      if (this.identity.detached) return this.#dropped(pending, 'detached').outcome
      if (!pending.changed) return this.#renewalDue ? this.#renew(pending) : 'unchanged'
      const { outcome, durable } = await this.#writeLast(pending)
      this.acknowledge({ outcome, durable })
      return outcome
    })
  }

  /** What is due, and was asked for by nobody: where it fails, or is not confirmed, the id of before serves on. */
  async #renew(pending: PendingData<Data>): Promise<CommitOutcome> {
    try {
      return (await this.write(pending, this.#renewal())).outcome
    } catch (error) {
      if (!isPassing(error)) throw error
      this.#services.settings.log.warn(
        { handle: this.identity.handle, error },
        'The id of a session could not be renewed; the next request tries again.',
      )
      return 'unchanged'
    }
  }

  /** The last write of a request speaks for all of it: that it was not carried out does not say that nothing was. */
  async #writeLast(pending: PendingData<Data>): Promise<Written> {
    try {
      return await this.write(pending, this.#renewalDue ? this.#renewal() : AS_IS)
    } catch (error) {
      if (!this.#stored || !(error instanceof StoreUnavailableError) || error.applied === 'unknown') throw error
      const { handle, retryAfter } = error
      throw new StoreUnavailableError(
        'The last changes of a session were not stored, while others of the same request were, or may have been. Read the session again before repeating the request.',
        { handle, retryAfter, applied: 'unknown', cause: error },
      )
    }
  }

  /** Saves. Without a wish of its own it throws `UnconfirmedError` where the manager's is not met. */
  commit(durability?: Durability): Promise<Written> {
    return this.#inTurn(async () => {
      this.#refuseReadOnly('commit()')
      const pending = this.data.pending()
      if (this.identity.detached) return this.#dropped(pending, 'detached')
      const { holding } = this.identity
      if (!pending.changed) {
        const touched = holding !== undefined && this.#services.touches.soon(holding.id.selector, holding.record)
        return { outcome: touched ? 'touched' : 'unchanged', durable: true }
      }
      const written = await this.write(pending, AS_IS, { durability })
      if (durability === undefined) this.acknowledge(written)
      return written
    })
  }

  /** Without a wish of its own it throws `UnconfirmedError` where the manager's is not met. */
  update<Result>(
    change: (data: Data) => Result,
    durability?: Durability,
  ): Promise<{ readonly result: Result } & Durable> {
    return this.#inTurn(async () => {
      this.#refuseReadOnly('update()')
      this.#refuseEnded()
      const pending = this.data.pending()
      let result: Result | undefined
      const changed: PendingData<Data> = {
        changed: true,
        mine: pending.mine,
        on: (payload) => {
          const made = pending.on(payload)
          const { conflicts } = made
          const data = made.own === true ? clone(made.data) : made.data
          result = change(data)
          refusePromise(result)
          return { data, conflicts }
        },
      }
      const written = await this.write(changed, AS_IS, { durability })
      if (written.outcome === 'gone') throw this.over()
      if (durability === undefined) this.acknowledge(written)
      return { result: result as Result, durable: written.durable }
    })
  }

  reload(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.unread !== undefined) throw this.unread
      const { holding } = this.identity
      if (holding === undefined) return this.data.reset(undefined)
      const found = await this.#look(holding)
      this.data.reset(found?.payload, holding.id.selector)
      this.unavailable = undefined
    })
  }

  touch(): Promise<void> {
    return this.#inTurn(async () => {
      this.#refuseReadOnly('touch()')
      const { holding } = this.identity
      const found = holding === undefined ? undefined : await this.#look(holding)
      if (holding === undefined || found === undefined) return
      if (!(await this.#services.touches.now(holding.id.selector, found))) this.lose('revoked')
    })
  }

  regenerateId(previous: 'graced' | 'refused'): Promise<void> {
    return this.#inTurn(async () => {
      this.#refuseReadOnly('regenerateId()')
      if (this.headGone) throw this.tooLate('regenerateId()')
      if (previous === 'refused') this.#refuseEnded()
      if (this.identity.holding === undefined || this.identity.detached) return
      const fresh = previous === 'refused' ? freshVerifier(this.#services.random) : undefined
      const alter: Alteration = fresh === undefined ? this.#renewal() : (record, now) => raised(record, fresh, now)
      const written = await this.write(this.data.pending(), alter, { fresh })
      if (written.outcome !== 'gone') channels.lifecycle.publish({ handle: this.identity.handle, what: 'renewed' })
      else if (previous === 'refused') throw this.over()
      this.acknowledge(written)
    })
  }

  signIn(userId: string, carry: Carry): Promise<void> {
    return this.#inTurn(async () => {
      this.#refuseReadOnly('signIn()')
      await signIn(this, this.#services, userId, carry)
    })
  }

  signOut(everywhere: boolean): Promise<Durable> {
    return this.#inTurn(async () => {
      this.refuseUnchecked()
      if (this.headGone) throw this.tooLate('signOut()')
      const ended = await signOut(this, this.#services, everywhere)
      this.#stored = true
      return ended
    })
  }

  /** One change of this session, with what is unsaved. */
  async write(pending: PendingData<Data>, alter: Alteration, writing: Writing = {}): Promise<Written> {
    try {
      const written = await this.#write(pending, alter, writing)
      this.#stored ||= written.outcome === 'saved' || written.outcome === 'merged'
      return written
    } catch (error) {
      this.#stored ||= error instanceof CommitUnknownError
      throw error
    }
  }

  async #write(pending: PendingData<Data>, alter: Alteration, { fresh, durability }: Writing): Promise<Written> {
    this.refuseUnchecked()
    if (this.headGone && this.identity.holding === undefined) throw this.tooLate('storing the first value')
    for (let attempt = 0; ; attempt++) {
      const { holding } = this.identity
      const { id, known } = holding === undefined ? this.identity.visitor() : { id: holding.id, known: true }
      const { selector } = id
      let conflicts: readonly string[] = []
      let own: Uint8Array | undefined
      const committed = await this.#services.commits.submit(
        selector,
        (record) => {
          const now = this.#services.clock.now()
          const entry = this.identity.foundation(record, now)
          if ('gone' in entry) return entry
          if (!pending.changed && record !== undefined) return alter(entry, now)
          const made = pending.on(record?.payload)
          conflicts = made.conflicts
          const payload = this.data.encode(made.data)
          own = made.own === true ? payload : undefined
          return alter({ ...entry, payload }, now)
        },
        holding?.bytes,
        durability ?? this.#services.settings.durability,
      )
      if (!('gone' in committed)) {
        const saved = this.#saved(pending, committed, { conflicts, own }, fresh)
        if (this.headGone) await this.late?.()
        return saved
      }
      const collided = !known && committed.gone !== 'absent'
      if (!collided || attempt >= COLLISIONS_MOST) return this.#gone(pending, committed)
      channels.collision.publish({ what: 'selector' })
      this.identity.startOver()
    }
  }

  /** Throws `UnconfirmedError` for a change that is stored, and lacks replicas that it asked for. */
  acknowledge({ durable }: Written): void {
    if (durable) return
    throw new UnconfirmedError(
      'A change of a session was stored, and too few replicas confirmed it in time: it counts once, and a fail-over now can lose it. Read the session again before repeating it.',
      { handle: this.identity.handle },
    )
  }

  /** The session was found to be over, or another's. */
  lose(gone: Gone['gone']): void {
    const { holding } = this.identity
    this.endedBy = gone === 'absent' || gone === 'unreadable' ? 'expired' : gone
    this.identity.lose()
    // What was superseded is over under its own epoch only: who signed in to the visit goes on.
    if (holding !== undefined)
      this.#services.watchers.ended(holding.id.selector, gone === 'superseded' ? holding.record.epoch : undefined)
  }

  /** Throws while the request's CSRF check is still to be made. */
  refuseUnchecked(): void {
    if (!this.unchecked) return
    throw new CsrfError(
      'body-not-parsed',
      'This route is checked later, and the check has not been made yet: call csrf() or verifyCsrf() before the session is changed.',
      { handle: this.identity.handle },
    )
  }

  /** The error for who wants to change a session that is over. */
  over(): SessionEndedError {
    const { handle } = this.identity
    const reason = this.endedBy ?? (this.identity.detached ? 'superseded' : 'expired')
    return new SessionEndedError(
      reason,
      `The session is over (${reason}): the change was not made. Ask the visitor to sign in again.`,
      { handle },
    )
  }

  tooLate(what: string): HeadSentError {
    return new HeadSentError(
      `${what} needs a cookie, and the head of the response has left: do it before the first byte of the body.`,
      { handle: this.identity.handle },
    )
  }

  get #renewalDue(): boolean {
    const { holding } = this.identity
    return (
      holding !== undefined &&
      !this.quiet &&
      !this.headGone &&
      !this.unchecked &&
      this.unavailable === undefined &&
      renewalDue(holding.record, this.#services.settings.timers, this.#services.clock.now())
    )
  }

  #renewal(): Alteration {
    return (record, now) =>
      this.identity.holding === undefined ? record : renewed(this.#services, record, this.identity.holding.id, now)
  }

  #saved(
    pending: PendingData<Data>,
    committed: Exclude<Committed, Gone>,
    { conflicts, own }: { readonly conflicts: readonly string[]; readonly own: Uint8Array | undefined },
    fresh?: Verifier,
  ): Written {
    const { record, bytes, done, durable } = committed
    const first = this.identity.holding === undefined
    this.identity.learn(record, bytes, fresh)
    if (!durable && !first && fresh === undefined) this.identity.withhold()
    if (durable && done !== 'unchanged') this.identity.wrote()
    this.data.rebase(record.payload, pending, record.payload === own)
    const { holding } = this.identity
    if (holding !== undefined) {
      this.#services.touches.written(holding.id.selector)
      this.#services.copies?.keep(holding.id.selector, record, bytes)
    }
    this.held?.()
    if (first) channels.lifecycle.publish({ handle: this.identity.handle, what: 'begun' })
    if (conflicts.length > 0) channels.conflict.publish({ handle: this.identity.handle, paths: conflicts })
    this.#services.counters.committed(this.identity, done, record.counter, durable)
    return { outcome: done, durable }
  }

  #gone(pending: PendingData<Data>, { gone }: Gone): Written {
    this.#services.counters.committed(this.identity, 'gone', 0)
    if (pending.changed) this.#services.counters.drop(this.identity.handle, gone)
    this.lose(gone)
    return { outcome: 'gone', durable: true }
  }

  /** The newest state of the session, if this request still has a right to it. */
  async #look(holding: Holding): Promise<LiveRecord | undefined> {
    const standing = standingOf(await this.#services.store.load(holding.id.selector))
    const record = 'record' in standing ? standing.record : undefined
    const found = 'gone' in standing ? standing : this.identity.foundation(record, this.#services.clock.now())
    if ('gone' in found) {
      this.lose(found.gone)
      return undefined
    }
    if ('record' in standing) this.identity.refresh(standing.record, standing.bytes)
    return found
  }

  #refuseEnded(): void {
    if (this.identity.detached || this.identity.status === 'lapsed') throw this.over()
  }

  /** Throws where the session is a copy, or not known at all. */
  #refuseReadOnly(what: string): void {
    if (this.unread !== undefined) throw this.unread
    if (this.unavailable === undefined) return
    throw new StoreUnavailableError(
      `The store fails, and the session is a copy from before that can only be read: ${what} was not carried out. Try again when the store is back.`,
      { handle: this.identity.handle, retryAfter: this.unavailable.retryAfter, cause: this.unavailable },
    )
  }

  #dropped(pending: PendingData<Data>, reason: string): Written {
    if (!pending.changed) return { outcome: 'unchanged', durable: true }
    this.#services.counters.drop(this.identity.handle, reason)
    this.#services.counters.committed(this.identity, 'gone', 0)
    return { outcome: 'gone', durable: true }
  }

  #inTurn<Result>(operation: () => Promise<Result>): Promise<Result> {
    this.#underWay++
    const turn = this.#last.then(operation).finally(() => this.#underWay--)
    this.#last = turn.catch((error: unknown) => {
      if (error instanceof StoreUnavailableError || error instanceof CommitUnknownError) this.identity.failed()
    })
    return turn
  }
}

/** Whether it is the store's, or of its queue: the same may go well with the next request. */
function isPassing(error: unknown): boolean {
  return error instanceof StoreUnavailableError || error instanceof CommitUnknownError || error instanceof LimitError
}
