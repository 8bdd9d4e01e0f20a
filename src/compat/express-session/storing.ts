/** What requests ask of their store at the end. What was ended meanwhile is not stored again. */
import * as channels from '../../telemetry/channels.ts'
import { isFailure, type Callback } from './answered.ts'
import type { Endings, Moment } from './endings.ts'
import type { Settings } from './options.ts'
import type { Session } from './session.ts'
import { askStore, isNotFound } from './store-call.ts'
import type { SessionData } from './store-contract.ts'
import { Touches } from './touches.ts'

/** What its request knows of a session that is to be stored. */
interface Known {
  /** When it was asked for, or made. */
  readonly since: Moment
  /** Whether it was in the store then, or has been put there. */
  readonly stored: boolean
}

/** What is needed of the options. */
type Asking = Pick<Settings, 'store' | 'storeDeadline' | 'touchInterval'>

export class Storing {
  readonly #settings: Asking
  readonly #endings: Endings
  readonly #touches: Touches

  constructor(settings: Asking, endings: Endings) {
    this.#settings = settings
    this.#endings = endings
    this.#touches = new Touches(settings.touchInterval)
  }

  /** Whether the session was ended after this moment, by another request of this process. */
  isOver(id: string, since: Moment): boolean {
    return this.#endings.fateOf(id, since) === 'ended'
  }

  /** Answers whether the store has answered already. */
  set(session: Session, { since, stored }: Known, done: Callback): boolean {
    const fate = this.#endings.fateOf(session.id, since)
    if (fate === 'ended') return this.#drop(done)
    return fate === 'unknown' && stored ? this.#setIfThere(session, since, done) : this.#set(session, since, done)
  }

  /** The same. */
  touch(id: string, session: Session, done: Callback): boolean {
    if (!this.#touches.due(id)) {
      done()
      return true
    }
    this.#touches.note(id)
    const { store } = this.#settings
    return this.#ask(
      'touch',
      (answer) => store.touch?.(id, session, answer),
      (error) => {
        if (isFailure(error)) this.#touches.forget(id)
        done(error)
      },
    )
  }

  destroy(id: string, done: Callback): boolean {
    return this.#ask('destroy', (answer) => this.#settings.store.destroy(id, answer), done)
  }

  #set(session: Session, since: Moment, done: Callback): boolean {
    const { id } = session
    const set = (answer: Callback): unknown => this.#settings.store.set(id, session, answer)
    this.#touches.note(id)
    return this.#ask('set', set, (error) => {
      if (!this.isOver(id, since)) return done(error)
      // Ended on its way: a store with several connections may have carried out the end first.
      this.destroy(id, (failure) => void (isFailure(failure) ? done(failure) : this.#drop(done)))
    })
  }

  /** For a request so old that an end of its session may be forgotten. */
  #setIfThere(session: Session, since: Moment, done: Callback): boolean {
    const get = (answer: Callback<SessionData | null | undefined>): unknown =>
      this.#settings.store.get(session.id, answer)
    return this.#ask('get', get, (error, data) => {
      if (isFailure(error) && !isNotFound(error)) done(error)
      else if (isFailure(error) || !data) this.#drop(done)
      else this.#set(session, since, done)
    })
  }

  #drop(done: Callback): boolean {
    channels.dropped.publish({ handle: undefined, reason: 'ended' })
    done()
    return true
  }

  #ask<Value>(operation: string, run: (done: Callback<Value>) => unknown, done: Callback<Value>): boolean {
    const { store, storeDeadline: deadline } = this.#settings
    let answered = false
    askStore<Value>(store, { operation, deadline }, run, (error, value) => {
      answered = true
      done(error, value)
    })
    return answered
  }
}
