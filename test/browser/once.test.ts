/** I11 in a real browser: clicking twice, going back and killing servers, the money goes out once. */
import { afterAll, describe, expect, it } from 'vitest'

import { understand, type Visitor } from './chromium.ts'
import { killServer, ledgerOf, until } from './demonstration.ts'
import { Visit } from './visit.ts'

afterAll(() => Visit.closeBrowser())

function other(server: string | undefined): string {
  return server === 'A' ? 'B' : 'A'
}

/** On the page of the confirmation. */
async function aboutToConfirm(visit: Visit, world: string, options = {}): Promise<Visitor> {
  const visitor = await visit.arrive(world, options)
  await visitor.fillIn()
  return visitor
}

/**
 * Sends the confirmation, for which three seconds are needed, and waits until a server is at it. Answers which server, where
 * the balancer alternates: the form came between two pages of one server, and went to the other.
 */
async function confirmSlowly(visitor: Visitor): Promise<string> {
  await visitor.page.getByLabel('Take three seconds over it').check()
  const address = visitor.page.url()
  let runner = ''
  let last = (await visitor.told()).answeredBy
  const click = await visitor.mouseOn(/^Transfer/)
  await click()
  for (;;) {
    const seen = await visitor.page.request.get(address)
    const page = await seen.text()
    const { answeredBy } = understand(page)
    if (answeredBy === last) runner = other(last)
    last = answeredBy
    if (page.includes('Being carried out')) return runner
    if (/step-title"[^>]*>Done</.test(page)) throw new TooLate()
  }
}

/** Waits until the money has gone out. Answers which server did it. */
async function goneOut({ demonstration }: Visit, world: string): Promise<string> {
  await until(() => ledgerOf(demonstration, world).length > 0)
  return String(ledgerOf(demonstration, world)[0]?.carriedOutBy)
}

/** The machine stalled for longer than the transfer took: there was nothing left to interrupt. */
class TooLate extends Error {}

/** Plays a scene in which a server has to be killed in time, and plays it again, from its beginning, where that was missed. */
async function inTime(scene: () => Promise<void>): Promise<void> {
  for (let missed = 0; missed < 3; missed++) {
    try {
      return await scene()
    } catch (error) {
      if (!(error instanceof TooLate)) throw error
    }
  }
  throw new Error('The transfer had come to its end before the server was killed, three times.')
}

/** Kills the server, waits for the page that then comes to the visitor, and throws `TooLate` where it is the receipt. */
async function cutOff(
  { demonstration }: Visit,
  visitor: Visitor,
  server: string,
  shown: Promise<unknown> = visitor.page.waitForEvent('load'),
): Promise<void> {
  await killServer(demonstration, server)
  await shown
  if (await visitor.page.locator('#step-title', { hasText: /^Done$/ }).isVisible()) throw new TooLate()
}

describe.concurrent.each([
  { world: 'shared', script: true },
  { world: 'shared', script: false },
  { world: 'sticky', script: false },
])('a double click in the $world world (JavaScript: $script)', ({ world, script }) => {
  it('carries the transfer out once, and shows the outcome of the first click', async () => {
    await using visit = await Visit.begin()
    const visitor = await aboutToConfirm(visit, world, { javaScriptEnabled: script })
    const before = (await visitor.told()).answeredBy
    const first = world === 'shared' ? other(before) : before
    await visitor.page.getByLabel('Take three seconds over it').check()
    await visitor.doubleClick(/^Transfer/)
    expect(visitor.requests.filter((path) => path === `/${world}/confirm`)).toHaveLength(2)
    expect(await visitor.heading()).toBe('Done')
    const second = (await visitor.told()).answeredBy
    expect(second).toBe(world === 'shared' ? other(first) : first)
    const text = await visitor.text()
    expect(text).toContain('You sent this form before, and it was not carried out again.')
    expect(text).toMatch(/has been carried out once, by\s+server\s+[AB]/)
    expect(text).toContain(`Server ${first} carried it out`)
    expect(await visitor.node(String(first)).innerText()).toContain('carried it out')
    const { Store: store } = await visitor.facts()
    expect(store).toMatch(/claim its end, for one request only: taken already\s+load look for the outcome: found/)
    const lines = ledgerOf(visit.demonstration, world)
    expect(lines).toMatchObject([{ carriedOutBy: first }])
    expect(await visitor.ledger()).toHaveLength(1)
  })
})

describe.concurrent('after the transfer was carried out', () => {
  it('sending its form again gets the same outcome, from either server, also when the one that did it is dead', async () => {
    await using visit = await Visit.begin()
    const visitor = await aboutToConfirm(visit, 'shared')
    await visitor.press(/^Transfer/)
    const { answeredBy } = await visitor.told()
    expect(await visitor.text()).not.toContain('You sent this form before')
    const number = await visitor.page.locator('.lead code').innerText()
    for (let time = 0; time < 3; time++) {
      await visitor.press('Send the form again')
      expect(await visitor.text()).toContain('You sent this form before, and it was not carried out again.')
    }
    await killServer(visit.demonstration, String(answeredBy))
    await visitor.press('Send the form again')
    expect((await visitor.told()).answeredBy).toBe(other(answeredBy))
    expect(await visitor.text()).toContain(`Server ${answeredBy} carried it out`)
    expect(await visitor.page.locator('.lead code').innerText()).toBe(number)
    expect(ledgerOf(visit.demonstration, 'shared')).toMatchObject([{ carriedOutBy: answeredBy }])
  })

  it('going back leads to the receipt, where the form can be sent again', async () => {
    await using visit = await Visit.begin()
    const visitor = await aboutToConfirm(visit, 'shared')
    await visitor.press(/^Transfer/)
    await Promise.all([visitor.page.waitForEvent('load'), visitor.page.goBack()])
    expect(await visitor.heading()).toBe('Done')
    await visitor.press('Send the form again')
    expect(await visitor.text()).toContain('You sent this form before, and it was not carried out again.')
    expect(ledgerOf(visit.demonstration, 'shared')).toHaveLength(1)
  })

  it('going back without JavaScript shows the confirmation as it was, and sending it again gets the outcome', async () => {
    await using visit = await Visit.begin()
    const visitor = await aboutToConfirm(visit, 'shared', { javaScriptEnabled: false })
    await visitor.press(/^Transfer/)
    await visitor.page.goBack()
    expect(await visitor.heading()).toBe('Confirmation')
    await visitor.press(/^Transfer/)
    expect(await visitor.text()).toContain('You sent this form before, and it was not carried out again.')
    expect(ledgerOf(visit.demonstration, 'shared')).toHaveLength(1)
  })
})

describe.concurrent('two tabs', () => {
  it('make two transfers beside each other, and the session finds both receipts', async () => {
    await using visit = await Visit.begin()
    const one = await visit.arrive('shared')
    await one.signIn()
    const two = await one.newTab(`${visit.demonstration.url}/shared/`)
    await one.page.getByLabel('Amount in euros').fill('11')
    await two.page.getByLabel('Amount in euros').fill('22')
    for (const button of ['Continue', 'Continue']) {
      await one.press(button)
      await two.press(button)
    }
    await Promise.all([one.press('Transfer €11.00'), two.press('Transfer €22.00')])
    for (const [tab, amount] of [
      [one, '€11.00'],
      [two, '€22.00'],
    ] as const) {
      expect(await tab.heading()).toBe('Done')
      expect(await tab.page.locator('.summary').innerText()).toContain(amount)
    }
    const keys = ledgerOf(visit.demonstration, 'shared').map(({ idempotencyKey }) => idempotencyKey)
    expect(new Set(keys).size).toBe(2)
    expect(keys).toHaveLength(2)
    await one.page.reload()
    const others = one.page.locator('td a')
    await Promise.all([one.page.waitForEvent('load'), others.click()])
    expect(await one.page.locator('.summary').innerText()).toContain('€22.00')
  })
})

describe.concurrent('a server that is killed while it carries the transfer out', () => {
  it('before the money has gone out: the balancer’s page leads to the doubt, and the ledger settles it', () =>
    inTime(async () => {
      await using visit = await Visit.begin()
      const visitor = await aboutToConfirm(visit, 'shared')
      const runner = await confirmSlowly(visitor)
      await cutOff(visit, visitor, runner)
      if (ledgerOf(visit.demonstration, 'shared').length > 0) throw new TooLate()
      expect(await visitor.page.getByRole('heading').innerText()).toBe('The server went away with your request')
      await visitor.follow('Open the page again')
      expect(await visitor.heading()).toBe('Being carried out')
      // It asks again by itself.
      await visitor.page.locator('#step-title', { hasText: 'No outcome' }).waitFor()
      await visitor.press('Ask for the outcome')
      expect(await visitor.heading()).toBe('In doubt')
      const text = await visitor.text()
      expect(text).toMatch(/bears one key:\s+[\w-]{24}\s/)
      expect(text).toContain('The ledger has nothing under it: the transfer was not carried out.')
      expect((await visitor.facts())['Store']).toContain('patch mark it as in doubt')
      expect(ledgerOf(visit.demonstration, 'shared')).toEqual([])
      await visitor.follow('Begin a new transfer')
      for (const button of ['Continue', 'Continue', /^Transfer/]) await visitor.press(button)
      expect(ledgerOf(visit.demonstration, 'shared')).toHaveLength(1)
    }))

  it('after the money has gone out: who sends the form again is told that it was carried out', () =>
    inTime(async () => {
      await using visit = await Visit.begin()
      const visitor = await aboutToConfirm(visit, 'shared', { javaScriptEnabled: false })
      await confirmSlowly(visitor)
      const runner = await goneOut(visit, 'shared')
      await cutOff(visit, visitor, runner)
      await visitor.page.goBack()
      await visitor.press(/^Transfer/)
      expect(await visitor.heading()).toBe('In doubt')
      expect((await visitor.told()).answeredBy).toBe(other(runner))
      const [line] = ledgerOf(visit.demonstration, 'shared')
      const text = await visitor.text()
      expect(text).toContain(line?.idempotencyKey)
      expect(text).toMatch(/The ledger has it: the transfer was carried out once, by\s+server\s+[AB]/)
      expect(ledgerOf(visit.demonstration, 'shared')).toMatchObject([{ carriedOutBy: runner }])
    }))

  it('after a double click: the second click gets the doubt by itself', () =>
    inTime(async () => {
      await using visit = await Visit.begin()
      const visitor = await aboutToConfirm(visit, 'shared')
      await visitor.page.getByLabel('Take three seconds over it').check()
      const shown = visitor.doubleClick(/^Transfer/)
      const runner = await goneOut(visit, 'shared')
      await cutOff(visit, visitor, runner, shown)
      expect(await visitor.heading()).toBe('In doubt')
      expect((await visitor.told()).answeredBy).toBe(other(runner))
      expect(ledgerOf(visit.demonstration, 'shared')).toHaveLength(1)
    }))

  it('in the sticky world: nobody knows the visitor, and whoever tries again pays twice', () =>
    inTime(async () => {
      await using visit = await Visit.begin()
      const visitor = await aboutToConfirm(visit, 'sticky')
      await confirmSlowly(visitor)
      await cutOff(visit, visitor, await goneOut(visit, 'sticky'))
      await visitor.follow('Open the page again')
      expect(await visitor.heading()).toBe('Sign in')
      expect(await visitor.text()).toContain('no server can say what became of it')
      await visitor.fillIn()
      await visitor.press(/^Transfer/)
      expect(await visitor.ledger()).toHaveLength(2)
    }))
})
