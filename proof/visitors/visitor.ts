/**
 * A visitor: comes as a guest, puts something into the cart, signs in, does this and that, signs out, and comes again.
 * Mostly one request after the other, now and then several at once, as a page with scripts sends them.
 */
import { setTimeout as pause } from 'node:timers/promises'

import type { Cookies } from '../browser.ts'
import type { AskedBy, Kind, OperationOf, Promises } from '../history/history.ts'
import { type Answered, type Asking, isDone, isReplaced, type Sending } from './asking.ts'
import type { Chance } from './random.ts'

/** What a visitor is given. */
export interface Habits {
  readonly user: string
  readonly promises: Promises
  /** Milliseconds between two actions, on average. */
  readonly thinks: number
  /** A token that another visitor was given, where there is one. */
  readonly othersToken: () => string | undefined
  /** Whether the application can end all sessions of a user. */
  readonly everywhere: boolean
  readonly signal: AbortSignal
}

/** Who does something wrong on purpose has no lasting part in it. */
type Action = () => Promise<void>

const POST = 'POST'
const AGAIN = 150
/** How often something is tried again that has to be known. */
const TRIES_MOST = 100
/** How many actions there are between a sign-in and a sign-out, at most. */
const ACTIONS_MOST = 24
/** By so much later than its grace a renewed id is tried, for machines that are slow, in milliseconds. */
const AFTER_GRACE = 1_000
/** As programs and old browsers send them: nothing says where they come from. */
const NO_EVIDENCE = { origin: undefined, 'sec-fetch-site': undefined }
const FROM_ANOTHER_SITE = { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' }

export class Visitor {
  readonly #asking: Asking
  readonly #habits: Habits
  readonly #chance: Chance
  #visits = 0
  #visit = ''
  #signedIn = false
  /** Whether the latest answer was one. */
  #served = true
  #items = 0
  #marks = 0
  /** A token of this visit, for others to try. */
  token: string | undefined

  constructor(asking: Asking, habits: Habits, random: Chance) {
    this.#asking = asking
    this.#habits = habits
    this.#chance = random
    this.#newVisit()
  }

  /** Comes and goes until it is told to stop; then looks once more what is left. */
  async stay(): Promise<void> {
    const { signal, thinks } = this.#habits
    await pause(this.#chance.next() * thinks)
    while (!signal.aborted) {
      await this.#beGuest()
      if (signal.aborted || !(await this.#signIn())) break
      for (let left = this.#chance.below(ACTIONS_MOST); left > 0 && this.#signedIn && !signal.aborted;) {
        await this.#action()()
        await this.#think()
        // Who is not served stays, to see what is left when there are answers again.
        if (this.#served) left--
      }
      if (!signal.aborted && this.#signedIn) await this.#signOut()
    }
    await this.#lookAtLast()
  }

  #action(): Action {
    return this.#chance.pick<Action>([
      [25, () => this.#read()],
      [15, () => this.#atOnce(2 + this.#chance.below(3), () => this.#add())],
      [10, () => this.#atOnce(1 + this.#chance.below(3), () => this.#count())],
      [
        4,
        () => this.#atOnce(2 + this.#chance.below(3), () => (this.#chance.next() < 0.5 ? this.#read() : this.#add())),
      ],
      [10, () => this.#mark()],
      [8, () => this.#writeAndLook()],
      [5, () => this.#renew()],
      [8, () => this.#fillForm()],
      [4, () => this.#forge()],
      [6, () => this.#buy()],
    ])
  }

  async #beGuest(): Promise<void> {
    for (let left = this.#chance.below(3); left > 0; left--)
      await (this.#chance.next() < 0.5 ? this.#read() : this.#add())
    await this.#think()
  }

  /** Until it is known to have worked. `false`: gave up, because the time is over. */
  async #signIn(): Promise<boolean> {
    const { user, signal } = this.#habits
    let from: string | undefined = this.#visit
    while (!signal.aborted) {
      const before = this.#asking.cookies
      const visit = this.#nextVisit()
      const { operation } = await this.#ask(
        'sign-in',
        { user, ...(from !== undefined && { from }) },
        {
          method: POST,
          path: `/sign-in?user=${user}&visit=${visit}`,
        },
        visit,
      )
      this.#visit = visit
      this.#signedIn = true
      if (isDone(operation)) {
        if (this.#chance.next() < 0.3) await this.#replay(operation, before, 'signed in')
        return true
      }
      // The guest's visit may be over or not: nothing is expected of it any more.
      from = undefined
      const found = await this.#insist()
      if (found?.seen?.owner === visit && found.seen.user === user) return true
      await pause(AGAIN)
    }
    return false
  }

  async #signOut(): Promise<void> {
    const { user } = this.#habits
    const everywhere = this.#chance.next() < 0.15 && this.#habits.everywhere
    const before = this.#asking.cookies
    for (let tries = 0; tries < TRIES_MOST; tries++) {
      // What was begun before is not waited for.
      const late = tries === 0 && this.#chance.next() < 0.3 ? this.#atOnce(4, () => this.#add()) : undefined
      const { operation } = await this.#ask(
        'sign-out',
        { user, everywhere },
        {
          method: POST,
          path: `/sign-out${everywhere ? '?everywhere' : ''}`,
          // Who signs out again comes with what there was: the jar has lost it.
          ...(tries > 0 && { cookies: before }),
        },
      )
      await late
      if (isDone(operation)) {
        this.#newVisit()
        await this.#replay(operation, before, 'ended')
        if (this.#chance.next() < 0.3) {
          await pause(this.#habits.promises.staleness * 1.2)
          await this.#replay(operation, before, 'ended')
        }
        return
      }
      await pause(AGAIN)
    }
    this.#newVisit()
  }

  async #read(): Promise<void> {
    const { operation } = await this.#ask('read', {}, { method: 'GET', path: '/read' })
    this.#notice(operation)
  }

  /** Who finds that somebody signed out everywhere is a guest again. */
  #notice({ seen, outcome }: OperationOf<'read'>): void {
    if (outcome !== 'acknowledged' || !this.#signedIn) return
    if (seen?.owner !== this.#visit || seen.user !== this.#habits.user) this.#newVisit()
  }

  async #add(): Promise<void> {
    const item = `${this.#asking.name}.${this.#items++}`
    const visit = this.#visit
    await this.#ask('add', { item }, { method: POST, path: `/add?item=${item}&visit=${visit}` }, visit)
  }

  async #count(): Promise<void> {
    await this.#ask('count', {}, { method: POST, path: '/count' })
  }

  async #mark(): Promise<void> {
    const mark = ++this.#marks
    await this.#ask('mark', { mark }, { method: POST, path: `/mark?mark=${mark}&visit=${this.#visit}` })
  }

  /** A page with a form, the form, and the page again to which its answer leads. */
  async #writeAndLook(): Promise<void> {
    await this.#read()
    await this.#mark()
    await this.#read()
  }

  async #renew(): Promise<void> {
    const before = this.#asking.cookies
    const { operation } = await this.#ask('renew', {}, { method: POST, path: '/renew' })
    if (!isDone(operation)) return
    // An id that is young is not renewed again.
    if (!isReplaced(before, this.#asking.cookies)) return
    await this.#read()
    if (!this.#signedIn) return
    if (this.#chance.next() < 0.5) await this.#replay(operation, before, 'renewed')
    if (this.#chance.next() < 0.2) {
      const { grace, staleness } = this.#habits.promises
      await pause(grace + staleness + AFTER_GRACE)
      await this.#replay(operation, before, 'renewed')
    }
  }

  /** A form, left open for a while, in which the visitor does something else. */
  async #fillForm(): Promise<void> {
    const { operation, token } = await this.#ask('form', {}, { method: 'GET', path: '/form' })
    if (!isDone(operation) || token === undefined || operation.seen?.owner !== this.#visit) return
    this.token = token
    await this.#chance.pick<Action>([
      [4, () => this.#think()],
      [2, () => this.#add()],
      [1, () => this.#renew()],
      [1, () => pause(this.#habits.promises.grace)],
    ])()
    if (this.#signedIn) await this.#submit('genuine', token)
  }

  async #forge(): Promise<void> {
    const others = this.#habits.othersToken()
    await this.#chance.pick<Action>([
      [1, () => this.#submit('without a token', undefined)],
      [1, () => this.#submit('from another site', undefined)],
      [others === undefined ? 0 : 2, () => this.#submit('another visitor’s token', others)],
    ])()
  }

  async #submit(form: AskedBy['submit']['form'], token: string | undefined): Promise<void> {
    await this.#ask(
      'submit',
      { form },
      {
        method: POST,
        path: '/submit',
        form: token === undefined ? {} : { _csrf: token },
        headers: form === 'from another site' ? FROM_ANOTHER_SITE : NO_EVIDENCE,
      },
    )
  }

  /** A cycle, whose end is sent once or several times at once. */
  async #buy(): Promise<void> {
    const cycle = `${this.#asking.name}.buys.${this.#items++}`
    const { operation, token } = await this.#ask('begin', { cycle }, { method: 'GET', path: `/begin?cycle=${cycle}` })
    if (!isDone(operation) || token === undefined) return
    await this.#atOnce(1 + this.#chance.below(3), async () => {
      await this.#ask('finish', { cycle }, { method: POST, path: '/finish', form: { _csrf: token } })
    })
  }

  async #replay(of: { readonly id: number }, cookies: Cookies, because: AskedBy['replay']['because']): Promise<void> {
    await this.#ask('replay', { of: of.id, because }, { method: 'GET', path: '/read', cookies })
  }

  async #lookAtLast(): Promise<void> {
    for (let tries = 0; tries < TRIES_MOST; tries++) {
      const { operation } = await this.#ask('read', { last: true }, { method: 'GET', path: '/read' })
      if (isDone(operation)) return
      await pause(AGAIN)
    }
  }

  /** Reads until there is an answer. */
  async #insist(): Promise<OperationOf<'read'> | undefined> {
    for (let tries = 0; tries < TRIES_MOST; tries++) {
      const { operation } = await this.#ask('read', {}, { method: 'GET', path: '/read' })
      if (isDone(operation)) return operation
      await pause(AGAIN)
    }
    return undefined
  }

  async #atOnce(count: number, act: () => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: count }, act))
  }

  async #ask<K extends Kind>(kind: K, asked: AskedBy[K], sending: Sending, visit = this.#visit): Promise<Answered<K>> {
    const answered = await this.#asking.ask<K>({ kind, asked, visit }, sending)
    const { status } = answered.operation
    this.#served = status > 0 && status < 500
    return answered
  }

  #think(): Promise<void> {
    return pause(this.#habits.thinks * 2 * this.#chance.next())
  }

  #newVisit(): void {
    this.#visit = this.#nextVisit()
    this.#signedIn = false
    this.token = undefined
  }

  #nextVisit(): string {
    return `${this.#asking.name}-${++this.#visits}`
  }
}
