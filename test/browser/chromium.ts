/** Debian's Chromium, and the page of the demonstration as a visitor uses it. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type LaunchOptions,
  type Page,
} from 'playwright-core'

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run']
/** Milliseconds between the clicks of a double click that is not a fast one. */
const BETWEEN_CLICKS = 150
const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync']

const everywhere: LaunchOptions = { executablePath: '/usr/bin/chromium', headless: true, args: [...flags, ...quiet] }

export function launchChromium(): Promise<Browser> {
  return chromium.launch(everywhere)
}

/**
 * Chromium as people have it, with a profile in a folder: third parties' cookies are taken, pages are kept for the back
 * button, and `preferences` can say more. Names under `.test` are on this machine.
 */
export function launchProfile(folder: string, preferences: object = {}): Promise<BrowserContext> {
  const file = path.join(folder, 'Default', 'Preferences')
  if (!existsSync(file)) {
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, JSON.stringify({ profile: { cookie_controls_mode: 0 }, ...preferences }))
  }
  return chromium.launchPersistentContext(folder, {
    ...everywhere,
    args: [...flags, ...quiet, '--host-resolver-rules=MAP *.test 127.0.0.1'],
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    ignoreHTTPSErrors: true,
  })
}

/** What the page says of the step it shows. */
export interface Told {
  readonly madeBy: string | undefined
  readonly answeredBy: string | undefined
  readonly refused: boolean
}

/** One visitor with an empty jar. */
export class Visitor {
  readonly page: Page
  /** Every request that went out since the visitor came. */
  readonly requests: string[] = []
  /** What a script complained of. */
  readonly complaints: string[] = []

  private constructor(page: Page) {
    this.page = page
    page.setDefaultTimeout(15_000)
    page.on('request', (request) => this.requests.push(new URL(request.url()).pathname))
    page.on('pageerror', (error) => this.complaints.push(error.message))
    page.on('console', (message) => {
      // Chromium reports every answer with a status of an error; what the pages do with it is tested.
      if (message.type() === 'error' && !/status of [45]/.test(message.text())) this.complaints.push(message.text())
    })
  }

  static async arrive(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext(options)
    const visitor = new Visitor(await context.newPage())
    await visitor.page.goto(address)
    return visitor
  }

  /** The same visitor in another tab. */
  async newTab(address: string): Promise<Visitor> {
    const visitor = new Visitor(await this.page.context().newPage())
    await visitor.page.goto(address)
    return visitor
  }

  async leave(): Promise<void> {
    await this.page.context().close()
  }

  heading(): Promise<string> {
    return this.page.locator('#step-title').innerText()
  }

  told(): Promise<Told> {
    return this.page.locator('#map-title').innerText().then(understand)
  }

  text(): Promise<string> {
    return this.page.locator('main').innerText()
  }

  /** What the session and its store did for this step, by name. */
  async facts(): Promise<Record<string, string>> {
    const [names, values] = await Promise.all([
      this.page.locator('.facts dt').allInnerTexts(),
      this.page.locator('.facts dd').allInnerTexts(),
    ])
    return Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']))
  }

  /** The ledger as the receipt shows it: a line for each time that something was carried out, newest first. */
  async ledger(): Promise<string[]> {
    return this.page.locator('table').filter({ hasText: 'outside the sessions' }).locator('tbody tr').allInnerTexts()
  }

  async signIn(name = 'visitor'): Promise<void> {
    await this.page.getByLabel('Your name').fill(name)
    await this.press('Sign in')
  }

  /** From the sign-in page to the confirmation. */
  async fillIn(name?: string): Promise<void> {
    await this.signIn(name)
    await this.press('Continue')
    await this.press('Continue')
  }

  /** Answers a click of the mouse on a button, as fast and as often as one likes: it waits for no page. */
  async mouseOn(name: string | RegExp): Promise<() => Promise<void>> {
    const button = this.page.getByRole('button', { name })
    await button.scrollIntoViewIfNeeded()
    const box = await button.boundingBox()
    if (box === null) throw new Error(`There is no button ${String(name)} to be seen.`)
    return () => this.page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
  }

  /** Clicks twice, as those do who are used to it, and waits for the page that comes in the end. */
  async doubleClick(name: string | RegExp): Promise<void> {
    const click = await this.mouseOn(name)
    const shown = this.page.waitForEvent('load')
    await click()
    await pause(BETWEEN_CLICKS)
    await click()
    await shown
  }

  /** Sends a form of the shape that is on the page, with other fields or to another address. */
  async send(address: string, fields: Record<string, string>): Promise<void> {
    await Promise.all([this.page.waitForEvent('load'), this.page.evaluate(submitForm, { address, fields })])
  }

  /** Presses a button that leads to another page, and waits for that page. */
  async press(name: string | RegExp): Promise<void> {
    const button = this.page.getByRole('button', { name, exact: typeof name === 'string' })
    await Promise.all([this.page.waitForEvent('load'), button.click()])
  }

  async follow(name: string | RegExp): Promise<void> {
    await Promise.all([this.page.waitForEvent('load'), this.page.getByRole('link', { name }).click()])
  }

  /** What the form of this step would send. */
  fields(): Promise<Record<string, string>> {
    return this.page.locator('.step form').evaluate(readForm)
  }

  /** Kills a server by its button, and waits until the page shows it dead. */
  async kill(server: string): Promise<void> {
    const node = this.node(server)
    await node.getByRole('button').click()
    await node.and(this.page.locator('[data-state=down]')).waitFor()
  }

  /** Waits until the page shows the server as up. */
  async isBack(server: string): Promise<void> {
    await this.node(server).and(this.page.locator('[data-state=up]')).waitFor()
  }

  /** What has the keyboard's focus, and whether one can see that it has. */
  focused(): Promise<{ text: string; seen: boolean }> {
    return this.page.locator(':focus').evaluate(readFocus)
  }

  node(server: string): ReturnType<Page['locator']> {
    return this.page.locator(`[data-server=${server}]`)
  }
}

/** Runs in the page, whose types are not ours. */
function submitForm({ address, fields }: { address: string; fields: Record<string, string> }): void {
  interface Made {
    append(...children: Made[]): void
    submit(): void
  }
  const { document } = globalThis as unknown as {
    document: { body: Made; createElement: (name: string) => Made }
  }
  const form = Object.assign(document.createElement('form'), { method: 'post', action: address })
  const inputs = Object.entries(fields).map(([name, value]) =>
    Object.assign(document.createElement('input'), { type: 'hidden', name, value }),
  )
  form.append(...inputs)
  document.body.append(form)
  form.submit()
}

/** Runs in the page, whose types are not ours. */
function readForm(form: unknown): Record<string, string> {
  const { FormData } = globalThis as unknown as { FormData: new (form: unknown) => Iterable<[string, string]> }
  return Object.fromEntries(new FormData(form))
}

interface Focused {
  readonly innerText: string
  getBoundingClientRect(): { readonly top: number }
}

/** Runs in the page, whose types are not ours. */
function readFocus(element: unknown): { text: string; seen: boolean } {
  const { getComputedStyle } = globalThis as unknown as {
    getComputedStyle: (element: unknown) => { outlineStyle: string; outlineWidth: string }
  }
  const { outlineStyle, outlineWidth } = getComputedStyle(element)
  const { innerText, getBoundingClientRect } = element as Focused
  const { top } = getBoundingClientRect.call(element)
  return { text: innerText, seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && top >= 0 }
}

/** Which servers a page names. */
export function understand(sentence: string): Told {
  const [, madeBy] = /Server (.) made/.exec(sentence) ?? []
  const [, received] = /Server (.) (?:received|answered)/.exec(sentence) ?? []
  return { madeBy, answeredBy: received ?? madeBy, refused: sentence.includes('refused') }
}
