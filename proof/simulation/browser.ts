/** A simulated browser with its visitor: does what the schedule says, and has every request written down. */
import { setTimeout as pause } from 'node:timers/promises'

import { applied, type Cookies } from '../browser.ts'
import type { AskedBy, Kind, OperationOf } from '../history/history.ts'
import type { Recorder } from '../history/recorder.ts'
import { isDone, isRefusal, isReplaced, SAFE } from '../visitors/asking.ts'
import type { Deed } from './plan.ts'
import type { Asked, Reply } from './server.ts'

/** A request on its way. */
export interface Sending {
  readonly asked: Asked
  readonly token?: string | undefined
  /** Whether it says where it comes from. Default: yes. */
  readonly evidence?: boolean
  /** Others than those of the jar; then the jar takes none either. */
  readonly cookies?: Cookies
}

/** What a browser is given. */
export interface Surroundings {
  readonly recorder: Recorder
  /** Sends to a server, and answers what comes back; `undefined`: the connection broke. */
  readonly send: (on: number, request: Omit<Sending, 'cookies'>, cookies: Cookies) => Promise<Served | undefined>
  readonly lost: (what: string) => void
  /** Whether the store loses what it acknowledged some time. */
  readonly mayLose: boolean
  readonly othersToken: (browser: string) => string | undefined
}

/** An answer and who gave it. */
export interface Served {
  readonly reply: Reply
  readonly server: string | undefined
}

type Way = Pick<Deed, 'on' | 'answer'>

/** Cookies of before a renewal, a sign-in or an end: of that operation. */
type Past = AskedBy['replay'] & { readonly cookies: Cookies }

interface Answered<K extends Kind> {
  readonly operation: OperationOf<K>
  readonly token: string | undefined
}

const AGAIN = 200
const TRIES_MOST = 5
/** How often is asked in the end what is left. */
const LAST_TRIES_MOST = 40

export class SimulatedBrowser {
  readonly name: string
  readonly #user: string
  readonly #around: Surroundings
  #jar: Cookies = new Map()
  #visits = 0
  #visit = ''
  #signedIn = false
  /** Whether a form's answer has given this visit an id. */
  #named = false
  #items = 0
  #marks = 0
  #marking = false
  /** How many requests have been begun, and which are under way. */
  #begun = 0
  readonly #underWay = new Set<Promise<unknown>>()
  /** A sign-in or a sign-out that is under way, with what it takes to know what came of it. */
  #changing: Promise<void> | undefined
  #turn: Promise<void> = Promise.resolve()
  #form: { readonly visit: string; readonly token: string } | undefined
  #cycle: { readonly visit: string; readonly name: string; readonly token: string } | undefined
  readonly #pasts: Past[] = []

  constructor(name: string, user: string, around: Surroundings) {
    this.name = name
    this.#user = user
    this.#around = around
    this.#newVisit()
  }

  get token(): string | undefined {
    return this.#form?.token
  }

  /** One after the other: a deed that waits holds up those behind it. Settles when it is done. */
  do(deed: Deed): Promise<void> {
    const sent = this.#turn.then(async () => {
      if (deed.waits) await this.#quiet()
      return { done: this.#act(deed) }
    })
    this.#turn = sent.then(() => undefined)
    return sent.then(({ done }) => done)
  }

  /** What is left when everything is over. */
  async lookAtLast(on: number): Promise<void> {
    await this.#quiet()
    for (let tries = 0; tries < LAST_TRIES_MOST; tries++) {
      const { operation } = await this.#ask('read', { last: true }, { on }, { asked: { route: 'read' } })
      if (isDone(operation)) return
      await pause(AGAIN * 2)
    }
  }

  async #quiet(): Promise<void> {
    while (this.#underWay.size > 0 || this.#changing !== undefined) {
      await Promise.all(this.#underWay)
      await this.#changing
    }
  }

  async #act(deed: Deed): Promise<void> {
    // While it is not known who the visitor is, only what anybody may do.
    if (this.#changing !== undefined) {
      if (deed.do !== 'read' && deed.do !== 'add') return
      if (this.#signedIn) return
    }
    // Two first requests at once are two visitors: of a browser without an id, or whose guest's session was lost.
    const isFirst = !this.#signedIn && (!this.#hasId || this.#around.mayLose)
    if (isFirst && this.#underWay.size > 0) return this.#read(deed)
    switch (deed.do) {
      case 'read':
      case 'read fresh':
        return this.#read(deed, deed.do === 'read fresh')
      case 'add':
        return this.#add(deed)
      case 'count':
        if (!this.#signedIn) return this.#add(deed)
        return void (await this.#ask('count', {}, deed, { asked: { route: 'count' } }))
      case 'mark':
        return this.#mark(deed)
      case 'sign-in':
        return this.#signedIn ? this.#read(deed) : this.#change(() => this.#signIn(deed))
      case 'sign-out':
      case 'sign-out everywhere':
        if (!this.#signedIn) return this.#read(deed)
        return this.#change(() => this.#signOut(deed, deed.do === 'sign-out everywhere'))
      case 'renew':
        return this.#renew(deed)
      case 'form':
        return this.#getForm(deed)
      case 'submit':
        return this.#submitForm(deed)
      case 'forge':
        return this.#forge(deed)
      case 'begin':
        return this.#begin(deed)
      case 'finish':
        return this.#finish(deed, deed.times, deed.takes)
      case 'replay':
        return this.#replay(deed, this.#pasts.at(-deed.back))
    }
  }

  /** A `visit` cookie alone may be one of an answer that was overtaken by a sign-out, which says what was seen and not who it is. */
  get #hasId(): boolean {
    return this.#named || [...this.#jar.keys()].some((name) => /[gs]id$/.test(name))
  }

  async #change(act: () => Promise<void>): Promise<void> {
    this.#changing = act().finally(() => (this.#changing = undefined))
    await this.#changing
  }

  async #read(way: Way, fresh = false): Promise<void> {
    const visit = this.#visit
    const { operation } = await this.#ask('read', {}, way, { asked: { route: 'read', fresh } })
    const { seen } = operation
    // Somebody signed out everywhere.
    if (visit !== this.#visit || !this.#signedIn || !isDone(operation) || this.#changing !== undefined) return
    if (seen?.owner !== visit || seen.user !== this.#user) this.#newVisit()
  }

  async #add(way: Way): Promise<void> {
    const item = `${this.name}.${this.#items++}`
    await this.#ask('add', { item }, way, { asked: { route: 'add', item, visit: this.#visit } })
  }

  /** Each waits for the answer to the one before. */
  async #mark(way: Way): Promise<void> {
    if (this.#marking || !this.#signedIn) return this.#read(way)
    this.#marking = true
    const mark = ++this.#marks
    await this.#ask('mark', { mark }, way, { asked: { route: 'mark', mark, visit: this.#visit } })
    this.#marking = false
  }

  async #signIn(way: Way): Promise<void> {
    const before = this.#jar
    const visit = this.#nextVisit()
    const from = this.#underWay.size === 0 ? this.#visit : undefined
    const begun = this.#begun
    const asked: { user: string; from?: string } = { user: this.#user, ...(from !== undefined && { from }) }
    const sending = { asked: { route: 'sign-in' as const, user: this.#user, visit } }
    const { operation } = await this.#ask('sign-in', asked, way, sending, visit)
    // What a guest stores while the sign-in is under way may be dropped.
    if (this.#begun > begun + 1) delete asked.from
    this.#visit = visit
    if (isDone(operation)) {
      this.#signedIn = true
      this.#pasts.push({ of: operation.id, because: 'signed in', cookies: before })
      return
    }
    for (let tries = 0; tries < TRIES_MOST; tries++) {
      await pause(AGAIN)
      const { operation: read } = await this.#ask('read', {}, way, { asked: { route: 'read' } })
      if (!isDone(read)) continue
      if (read.seen?.owner === visit && read.seen.user === this.#user) this.#signedIn = true
      break
    }
    if (!this.#signedIn) this.#newVisit()
  }

  /** Until it is acknowledged, as far as that goes. */
  async #signOut(way: Way, everywhere: boolean): Promise<void> {
    const before = this.#jar
    const visit = this.#visit
    for (let tries = 0; tries < TRIES_MOST; tries++) {
      const { operation } = await this.#ask(
        'sign-out',
        { user: this.#user, everywhere },
        tries === 0 ? way : { on: way.on + tries },
        // Who signs out again comes with what there was: the jar has lost it.
        { asked: { route: 'sign-out', everywhere }, ...(tries > 0 && { cookies: before }) },
        visit,
      )
      if (isDone(operation)) {
        this.#pasts.push({ of: operation.id, because: 'ended', cookies: before })
        break
      }
      await pause(AGAIN)
    }
    this.#newVisit()
  }

  async #renew(way: Way): Promise<void> {
    const [before, visit, alone, begun] = [this.#jar, this.#visit, this.#underWay.size === 0, this.#begun]
    const { operation } = await this.#ask('renew', {}, way, { asked: { route: 'renew' } })
    const nothingElse = alone && this.#begun === begun + 1
    // An id that is young is not renewed again.
    if (!nothingElse || !isDone(operation) || !this.#signedIn || visit !== this.#visit) return
    if (isReplaced(before, this.#jar)) this.#pasts.push({ of: operation.id, because: 'renewed', cookies: before })
  }

  async #getForm(way: Way): Promise<void> {
    const visit = this.#visit
    const { operation, token } = await this.#ask('form', {}, way, { asked: { route: 'form' } })
    if (isDone(operation) && visit === this.#visit) this.#named = true
    if (isDone(operation) && token !== undefined && this.#signedIn && operation.seen?.owner === visit)
      this.#form = { visit, token }
  }

  async #submitForm(way: Way): Promise<void> {
    if (this.#form?.visit !== this.#visit || !this.#signedIn) return this.#getForm(way)
    await this.#submit(way, 'genuine', this.#form.token)
  }

  async #forge(way: Way): Promise<void> {
    if (!this.#signedIn) return this.#read(way)
    const others = this.#around.othersToken(this.name)
    await this.#submit(way, others === undefined ? 'without a token' : 'another visitor’s token', others)
  }

  async #submit(way: Way, form: AskedBy['submit']['form'], token: string | undefined): Promise<void> {
    await this.#ask('submit', { form }, way, { asked: { route: 'submit' }, token, evidence: false })
  }

  async #begin(way: Way): Promise<void> {
    if (!this.#signedIn) return this.#read(way)
    const [cycle, visit] = [`${this.name}.buys.${this.#items++}`, this.#visit]
    const { operation, token } = await this.#ask('begin', { cycle }, way, { asked: { route: 'begin', cycle } })
    if (isDone(operation) && token !== undefined && this.#signedIn) this.#cycle = { visit, name: cycle, token }
  }

  async #finish(way: Way, times: number, takes: number): Promise<void> {
    const cycle = this.#cycle
    if (cycle === undefined || cycle.visit !== this.#visit || !this.#signedIn) return this.#begin(way)
    const ends = Array.from({ length: times }, (_, at) =>
      this.#ask(
        'finish',
        { cycle: cycle.name },
        { ...way, on: way.on + at },
        { asked: { route: 'finish', takes }, token: cycle.token },
      ),
    )
    await Promise.all(ends)
  }

  async #replay(way: Way, past: Past | undefined): Promise<void> {
    if (past === undefined) return this.#read(way)
    const { cookies, ...asked } = past
    await this.#ask('replay', asked, way, { asked: { route: 'read' }, cookies })
  }

  async #ask<K extends Kind>(
    kind: K,
    asked: AskedBy[K],
    way: Way,
    sending: Sending,
    visit = this.#visit,
  ): Promise<Answered<K>> {
    this.#begun++
    const asking = this.#send<K>(kind, asked, way, sending, visit)
    this.#underWay.add(asking)
    try {
      return await asking
    } finally {
      this.#underWay.delete(asking)
    }
  }

  async #send<K extends Kind>(
    kind: K,
    asked: AskedBy[K],
    { on, answer = 1 }: Way,
    { cookies, ...sending }: Sending,
    visit: string,
  ): Promise<Answered<K>> {
    const { recorder, send, lost } = this.#around
    const end = recorder.begin<K>({ kind, asked, browser: this.name, visit } as never)
    const served = await send(on, sending, cookies ?? this.#jar)
    if (served !== undefined && answer === 'lost') lost(`the answer to ${this.name}’s ${kind}`)
    await pause(answer === 'lost' ? 1 : answer)
    if (served === undefined || answer === 'lost') {
      const operation = end({ outcome: SAFE.has(kind) ? 'refused' : 'unknown', status: 0 })
      return { operation: operation as never, token: undefined }
    }
    const { reply, server } = served
    if (cookies === undefined) this.#jar = applied(this.#jar, reply.cookies)
    return { operation: end(outcomeOf(kind, reply, server)) as never, token: reply.token }
  }

  #newVisit(): void {
    this.#visit = this.#nextVisit()
    this.#signedIn = false
    this.#named = false
    this.#form = undefined
    this.#cycle = undefined
  }

  #nextVisit(): string {
    return `${this.name}-${++this.#visits}`
  }
}

function outcomeOf(kind: Kind, reply: Reply, server: string | undefined): Parameters<ReturnType<Recorder['begin']>>[0] {
  const { status, code, applied: wasApplied, seen, durable, result, repeated } = reply
  const said = {
    ...(server !== undefined && { server }),
    ...(code !== undefined && { code }),
    ...(wasApplied !== undefined && { applied: wasApplied }),
  }
  return {
    outcome: status === 200 ? 'acknowledged' : isRefusal(kind, status, said) ? 'refused' : 'unknown',
    status,
    ...(code !== undefined && { code }),
    ...(server !== undefined && { server }),
    ...(seen !== undefined && { seen }),
    ...(durable !== undefined && { durable }),
    ...(result !== undefined && { result }),
    ...(repeated !== undefined && { repeated }),
  }
}
