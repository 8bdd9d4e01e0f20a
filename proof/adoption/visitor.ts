/** A visitor of the shop, who waits for each answer, and knows what the next one has to show. */
import { setTimeout as pause } from 'node:timers/promises'

import { type Answer, Browser } from '../browser.ts'
import type { Shown } from './server.ts'

/** What an answer should not have shown. */
export type Wrong = 'logged out' | 'cart lost' | 'data of another' | 'signed in after sign-out' | 'no answer'

/** What visitors have met with. */
export interface Met {
  requests: number
  /** Requests that were sent again, because the server went while it had them. */
  again: number
  readonly by: Record<Shown['server'], number>
  readonly wrong: Record<Wrong, number>
  /** The first few, in words. */
  readonly examples: string[]
}

export function newMet(): Met {
  const wrong = { 'logged out': 0, 'cart lost': 0, 'data of another': 0, 'signed in after sign-out': 0, 'no answer': 0 }
  return { requests: 0, again: 0, by: { old: 0, new: 0 }, wrong, examples: [] }
}

const TRIES_MOST = 20
const AGAIN = 50
const EXAMPLES_MOST = 10
const ITEMS_MOST = 12

export class Visitor {
  readonly #name: string
  readonly #browser: Browser
  readonly #met: Met
  readonly #random: () => number
  #user: string | undefined
  #cart: string[] = []
  #items = 0

  constructor(name: string, origin: string, met: Met, random: () => number) {
    this.#name = name
    this.#browser = new Browser([origin])
    this.#met = met
    this.#random = random
  }

  /** Puts something into the cart; with `user`, signs in. */
  async begin(signsIn: boolean): Promise<void> {
    await this.#add()
    if (signsIn) await this.#signIn()
  }

  /** One request, such as visitors make. */
  async act(): Promise<void> {
    const what = this.#random()
    if (what < 0.4 || this.#cart.length > ITEMS_MOST) return what < 0.1 ? this.#signOut() : this.#look()
    if (what < 0.8 || this.#user !== undefined) return this.#add()
    return this.#signIn()
  }

  async #look(): Promise<void> {
    this.#compare('/', await this.#ask('GET', '/'))
  }

  async #add(): Promise<void> {
    const item = `${this.#name} item ${this.#items++}`
    const answer = await this.#ask('POST', '/add', { visitor: this.#name, item })
    if (answer !== undefined) this.#cart.push(item)
    this.#compare(`/add ${item}`, answer)
  }

  async #signIn(): Promise<void> {
    const answer = await this.#ask('POST', '/sign-in', { user: this.#name })
    if (answer !== undefined) this.#user = this.#name
    this.#compare('/sign-in', answer)
  }

  async #signOut(): Promise<void> {
    if ((await this.#ask('POST', '/sign-out')) === undefined) return
    this.#user = undefined
    this.#cart = []
    await this.#look()
  }

  /** Asks again while a server that goes away leaves it without an answer. */
  async #ask(method: string, path: string, form?: Readonly<Record<string, string>>): Promise<Shown | undefined> {
    for (let tries = 1; tries <= TRIES_MOST; tries++) {
      this.#met.requests++
      const answer = await this.#send(method, path, form)
      if (answer?.status === 200) return this.#taken(answer)
      if (answer !== undefined && answer.status < 502)
        return this.#tell('no answer', `${path}: ${answer.status} ${answer.body.slice(0, 200)}`)
      this.#met.again++
      await pause(AGAIN)
    }
    return this.#tell('no answer', `${path}: none in ${TRIES_MOST} tries`)
  }

  /** `undefined`: the connection was cut. */
  async #send(method: string, path: string, form?: Readonly<Record<string, string>>): Promise<Answer | undefined> {
    try {
      return await this.#browser.send(0, method, path, form === undefined ? {} : { form })
    } catch (error) {
      if ((error as { code?: string }).code === 'ECONNRESET') return undefined
      throw error
    }
  }

  #taken(answer: Answer): Shown {
    this.#browser.take(answer)
    const shown = JSON.parse(answer.body) as Shown
    this.#met.by[shown.server]++
    return shown
  }

  #compare(what: string, shown: Shown | undefined): void {
    if (shown === undefined) return
    const { user, visitor, cart, server } = shown
    const mine = cart.every((item) => item.startsWith(`${this.#name} `)) && [undefined, this.#name].includes(visitor)
    const told = `${what} on ${server}: ${JSON.stringify({ user, cart })}, and not ${JSON.stringify({ user: this.#user, cart: this.#cart })}`
    if (!mine || (user !== undefined && user !== this.#name)) this.#tell('data of another', told)
    else if (user === undefined && this.#user !== undefined) this.#tell('logged out', told)
    else if (user !== undefined && this.#user === undefined) this.#tell('signed in after sign-out', told)
    else if (JSON.stringify(cart) !== JSON.stringify(this.#cart)) this.#tell('cart lost', told)
    // What was lost once is not counted again with each request.
    this.#user = user
    this.#cart = [...cart]
  }

  #tell(wrong: Wrong, example: string): undefined {
    this.#met.wrong[wrong]++
    if (this.#met.examples.length < EXAMPLES_MOST) this.#met.examples.push(`${this.#name}: ${wrong}: ${example}`)
  }
}
