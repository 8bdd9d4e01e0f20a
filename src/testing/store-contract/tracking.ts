import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { endedMarker } from '../../core/record.ts'
import type { RecordBytes, Selector, Store, Tracked } from '../../core/store.ts'
import { assertBytes, hex } from './expect.ts'
import { LONG, newSelector, record, ruleOf, version } from './harness.ts'
import type { Bench, ContractHarness, Told, TestRunner } from './harness.ts'

/** Milliseconds that news may take, and a store until it can tell. */
const PATIENCE = 5_000
/** Milliseconds after which no news are under way any more. */
const A_WHILE = 100

/** One server that reads and is told of changes, and another one. */
interface Scene extends Bench {
  readonly told: Told
  readonly other: Store
  load(selector: Selector): Promise<Tracked>
}

type TrackedRule = (title: string, body: (scene: Scene) => Promise<void>) => void

/** Telling of changes of what was read: for stores that have `loadTracked`; the others pass. */
export function trackingRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  const trackedRule: TrackedRule = (title, body) =>
    rule(title, async (bench) => {
      const [store, other] = await bench.servers(2)
      const load = store?.loadTracked?.bind(store)
      if (store === undefined || other === undefined || load === undefined) return
      const scene = { ...bench, told: bench.toldBy(store), other, load }
      await body(scene)
    })
  runner.describe('tracked loads', () => {
    answerRules(trackedRule)
    newsRules(trackedRule)
    silenceRules(trackedRule)
  })
}

function answerRules(rule: TrackedRule): void {
  rule('a tracked load answers what a load does', async ({ store, load }) => {
    const [live, over, absent] = [newSelector(), newSelector(), newSelector()]
    await store.create(live, record(1), LONG)
    await store.end(over, endedMarker('revoked'), LONG)
    for (const selector of [live, over, absent]) assertBytes((await load(selector)).found, await store.load(selector))
  })

  rule('I6: after close it fails as a load does, and the watcher has been told', async (scene) => {
    const { store, load, told } = scene
    const selector = newSelector()
    await store.create(selector, record(1), LONG)
    await tracked(scene, selector)
    await store.close()
    await assert.rejects(load(newSelector()), { code: 'ERR_STORE_UNAVAILABLE' })
    assert.ok(told.untracked > 0)
  })
}

function newsRules(rule: TrackedRule): void {
  rule('a change is told of, once until the next tracked load', async (scene) => {
    const { store, other, told } = scene
    const selector = newSelector()
    await store.create(selector, record(1), LONG)
    await tracked(scene, selector)
    await other.replace(selector, version(1), record(2), LONG)
    await other.replace(selector, version(2), record(3), LONG)
    await expectNews(scene, selector, 1)
    await tracked(scene, selector)
    await other.replace(selector, version(3), record(4), LONG)
    await expectNews(scene, selector, 2)
    assert.equal(told.untracked, 0)
  })

  rule('every kind of change is told of, by this server or by another one', async (scene) => {
    for (const by of [scene.store, scene.other])
      for (const [name, change] of Object.entries(changes())) {
        const selector = newSelector()
        await by.create(selector, record(1), LONG)
        await tracked(scene, selector)
        await change(by, selector)
        await expectNews(scene, selector, 1, name)
      }
  })

  rule('something where nothing was is told of, where that answer was tracked', async (scene) => {
    const { store, other, load } = scene
    const [near, selector] = [newSelector(), newSelector()]
    await store.create(near, record(1), LONG)
    await tracked(scene, near)
    const answer = await load(selector)
    await other.create(selector, record(1), LONG)
    if (answer.tracked) await expectNews(scene, selector, 1)
  })

  rule('an expiry is told of, at the latest when somebody comes upon it', async (scene) => {
    const selector = newSelector()
    await scene.store.create(selector, record(1), LONG)
    await tracked(scene, selector)
    await scene.store.replace(selector, version(1), record(2), 2 * scene.unit)
    await expectNews(scene, selector, 1)
    await tracked(scene, selector)
    await scene.advance(3)
    assertBytes(await scene.other.load(selector), undefined)
    await expectNews(scene, selector, 2)
  })

  rule('of a change while the answer is under way it is told too, before the answer or after it', async (scene) => {
    const { store, other, load, told } = scene
    for (let round = 1; round <= 20; round++) {
      const selector = newSelector()
      await store.create(selector, record(1), LONG)
      await tracked(scene, selector)
      const before = told.changed.length
      const [answer] = await Promise.all([load(selector), other.replace(selector, version(1), record(2), LONG)])
      if (!answer.tracked || hex(answer.found) === hex(record(2))) continue
      await until('news', () => told.changed.indexOf(selector, before) >= 0)
    }
  })
}

function silenceRules(rule: TrackedRule): void {
  rule('of what was never read nothing is told', async (scene) => {
    const { store, other, told } = scene
    const near = newSelector()
    await store.create(near, record(1), LONG)
    await tracked(scene, near)
    const selector = newSelector()
    await other.create(selector, record(1), LONG)
    await other.replace(selector, version(1), record(2), LONG)
    await other.enroll('ada', selector, LONG)
    await other.end(selector, endedMarker('revoked'), LONG)
    await wait(A_WHILE)
    assert.ok(!told.changed.includes(selector))
    assert.equal(told.untracked, 0)
  })

  rule('while nothing changes nothing is told', async (scene) => {
    const selector = newSelector()
    await scene.store.create(selector, record(1), LONG)
    await tracked(scene, selector)
    await scene.other.load(selector)
    await scene.other.create(selector, record(2), LONG)
    await scene.other.replace(selector, version(2), record(3), LONG)
    await wait(A_WHILE)
    assert.ok(!scene.told.changed.includes(selector))
  })
}

/** All ways to change a live record. */
function changes(): Record<string, (by: Store, selector: Selector) => unknown> {
  const marker: RecordBytes = endedMarker('revoked')
  const kind = { at: 0, bytes: record(1).subarray(0, 1) }
  return {
    replace: (by, selector) => by.replace(selector, version(1), record(2), LONG),
    patch: (by, selector) => by.patch(selector, kind, { at: 1, bytes: version(2) }, LONG),
    end: (by, selector) => by.end(selector, marker, LONG),
    'end of a version': (by, selector) => by.end(selector, marker, LONG, { version: version(1) }),
  }
}

/** From now on the next change is told of. A store may have to connect first, and answers untracked until then. */
async function tracked({ load }: Scene, selector: Selector): Promise<void> {
  await until('a tracked answer', async () => (await load(selector)).tracked)
}

async function expectNews({ told }: Scene, selector: Selector, times: number, of = 'change'): Promise<void> {
  const count = (): number => told.changed.filter((one) => one === selector).length
  await until(`news of a ${of}`, () => count() >= times)
  await wait(0)
  assert.equal(count(), times)
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const late = performance.now() + PATIENCE
  while (!(await isSo())) {
    if (performance.now() > late) assert.fail(`${what} did not come within ${PATIENCE} ms`)
    await wait(2)
  }
}
