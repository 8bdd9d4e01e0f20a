/** A demonstration for one test alone, so that several can kill servers at the same time. */
import type { Browser, BrowserContextOptions } from 'playwright-core'

import { launchChromium, Visitor } from './chromium.ts'
import { startDemonstration, type Demonstration } from './demonstration.ts'

export class Visit implements AsyncDisposable {
  static #browser: Promise<Browser> | undefined
  readonly demonstration: Demonstration
  readonly #visitors: Visitor[] = []

  private constructor(demonstration: Demonstration) {
    this.demonstration = demonstration
  }

  /** `await using visit = await Visit.begin()` */
  static async begin(): Promise<Visit> {
    return new Visit(await startDemonstration())
  }

  /** For `afterAll`: all of a file's visits are made in one browser. */
  static async closeBrowser(): Promise<void> {
    await (await Visit.#browser)?.close()
  }

  /** Opens a world in a browser with an empty jar. */
  async arrive(world: string, options?: BrowserContextOptions): Promise<Visitor> {
    const browser = await (Visit.#browser ??= launchChromium())
    const visitor = await Visitor.arrive(browser, `${this.demonstration.url}/${world}/`, options)
    this.#visitors.push(visitor)
    return visitor
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#visitors.map((visitor) => visitor.leave()))
    await this.demonstration.stop()
    const complaints = this.#visitors.flatMap((visitor) => visitor.complaints)
    if (complaints.length > 0) throw new Error(`The page's script complained: ${complaints.join('; ')}`)
  }
}
