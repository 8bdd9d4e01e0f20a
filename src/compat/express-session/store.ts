/** Stores, as express-session knows them: with callbacks, and with a base class that knows sessions. */
import { EventEmitter } from 'node:events'
import { answered, isFailure, type Callback } from './answered.ts'
import { endingsOf, thisMoment, type Moment } from './endings.ts'
import { keepBy, type Keeper } from './keeper.ts'
import type { SessionRequest } from './request.ts'
import { createSession, regenerate, type Session } from './session.ts'
import type { SessionData } from './store-contract.ts'
import { Storing } from './storing.ts'

/** The base class of stores. A store is one too without it, if it has the methods. */
export abstract class Store extends EventEmitter {
  abstract get(id: string, callback?: Callback<SessionData | null | undefined>): unknown
  abstract set(id: string, session: Session, callback?: Callback): unknown
  abstract destroy(id: string, callback?: Callback): unknown
  declare generate?: (request: SessionRequest) => void

  /** Ends the request's session, and makes it a new one, whatever became of the old. */
  regenerate(request: SessionRequest, callback?: Callback): unknown {
    return answered(undefined, callback, (done) => regenerate(this, request, done))
  }

  /** A session by its id, for what is no request: a socket, a job. */
  load(id: string, callback?: Callback<Session>): unknown {
    return answered(undefined, callback, (done) => {
      const since = thisMoment()
      this.get(id, (error, data) => {
        if (isFailure(error)) return done(error)
        if (data === undefined || data === null) return done()
        const request = { sessionID: id, sessionStore: this } as unknown as SessionRequest
        keepBy(request, keeperOfLoaded(this, since))
        done(null, this.createSession(request, data))
      })
    })
  }

  /** Makes of what a store answered the request's session. */
  createSession(request: SessionRequest, data: SessionData): Session {
    return createSession(request, data)
  }
}

/** Keeps a session without a request, which may be held for long: what was ended meanwhile is not stored again. */
function keeperOfLoaded(store: Store, since: Moment): Keeper {
  const deadline = Number.POSITIVE_INFINITY
  const storing = new Storing({ store, storeDeadline: deadline, touchInterval: 0 }, endingsOf(store))
  return {
    deadline,
    save: (session, done) => void storing.set(session, { since, stored: true }, done),
    ending: () => undefined,
  }
}

for (const member of ['regenerate', 'load', 'createSession'])
  Object.defineProperty(Store.prototype, member, { enumerable: true })
