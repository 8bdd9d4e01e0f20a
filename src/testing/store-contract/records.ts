import { endedMarker, versionOf } from '../../core/record.ts'
import { assertBytes, assertDone, assertFound, assertStored } from './expect.ts'
import { LONG, newSelector, record, ruleOf, selectorOf, version } from './harness.ts'
import type { ContractHarness, Rule, TestRunner } from './harness.ts'

/** Records: created only if absent, replaced only in the version that was loaded. */
export function recordRules(harness: ContractHarness, runner: TestRunner): void {
  const rule = ruleOf(harness, runner)
  runner.describe('records', () => {
    createRules(rule)
    replaceRules(rule)
    byteRules(rule)
    aliasRules(rule)
  })
}

function createRules(rule: Rule): void {
  rule('nothing is under a selector that nothing was stored under', async ({ store }) => {
    await assertStored(store, newSelector(), undefined)
  })

  rule('every server loads what one of them created', async ({ servers }) => {
    const stores = await servers(3)
    const selector = newSelector()
    assertDone(await stores[0]!.create(selector, record(1), LONG))
    await assertStored(stores, selector, record(1))
  })

  rule(
    'I1: a record is created only where there is none; the one that is there stays, and is answered',
    async ({ servers }) => {
      const stores = await servers(2)
      const selector = newSelector()
      await stores[0]!.create(selector, record(1, { stamp: 1 }), LONG)
      assertFound(await stores[1]!.create(selector, record(1, { stamp: 2 }), LONG), record(1, { stamp: 1 }))
      await assertStored(stores, selector, record(1, { stamp: 1 }))
    },
  )

  rule('I3: a record is never created over an ended marker', async ({ store }) => {
    const selector = newSelector()
    await store.end(selector, endedMarker('revoked'), LONG)
    assertFound(await store.create(selector, record(1), LONG), endedMarker('revoked'))
    await assertStored(store, selector, endedMarker('revoked'))
  })

  rule('I1: selectors that differ in one character or in case only are different keys', async ({ store }) => {
    const selectors = ['key-a', 'key-A', 'key-b', 'key_a', 'key'].map(selectorOf)
    for (const [at, selector] of selectors.entries()) assertDone(await store.create(selector, record(at), LONG))
    for (const [at, selector] of selectors.entries()) await assertStored(store, selector, record(at))
  })
}

function replaceRules(rule: Rule): void {
  rule('I2: a record is replaced in the version that was loaded', async ({ servers }) => {
    const stores = await servers(2)
    const selector = newSelector()
    await stores[0]!.create(selector, record(1, { stamp: 7 }), LONG)
    assertDone(await stores[1]!.replace(selector, version(1, 7), record(2, { stamp: 8 }), LONG))
    await assertStored(stores, selector, record(2, { stamp: 8 }))
  })

  rule(
    'I2: an overtaken version is a conflict, which answers the current record and changes nothing',
    async ({ store }) => {
      const selector = newSelector()
      await store.create(selector, record(1), LONG)
      await store.replace(selector, version(1), record(2), LONG)
      assertFound(await store.replace(selector, version(1), record(2, { stamp: 9 }), LONG), record(2))
      await assertStored(store, selector, record(2))
    },
  )

  rule('I2: an equal counter with another stamp is a conflict; all eight bytes count', async ({ store }) => {
    const selector = newSelector()
    const current = record(0x01020304, { stamp: 0x05060708 })
    await store.create(selector, current, LONG)
    for (let byte = 0; byte < 8; byte++) {
      const other = versionOf(current).slice()
      other[byte] = other[byte]! ^ 0x80
      assertFound(await store.replace(selector, other, record(9), LONG), current)
    }
    assertDone(await store.replace(selector, versionOf(current).slice(), record(9), LONG))
  })

  rule(
    'I2: versions are bytes: high counters and stamps of all ones or zeros compare like any other',
    async ({ store }) => {
      const selector = newSelector()
      const versions = [
        [0, 0],
        [0xffffffff, 0xffffffff],
        [0x7ff80000, 0],
        [0x80000000, 0],
        [0, 1],
      ] as const
      await store.create(selector, record(1, { stamp: 1 }), LONG)
      let current = version(1, 1)
      for (const [counter, stamp] of versions) {
        assertDone(await store.replace(selector, current, record(counter, { stamp }), LONG))
        current = version(counter, stamp)
      }
      await assertStored(store, selector, record(0, { stamp: 1 }))
    },
  )

  rule('I3: nothing is replaced where nothing is', async ({ store }) => {
    const selector = newSelector()
    assertFound(await store.replace(selector, version(1), record(2), LONG), undefined)
    assertFound(await store.replace(selector, version(0), record(2), LONG), undefined)
    await assertStored(store, selector, undefined)
  })

  rule('I3: an ended marker is never replaced, whatever the version', async ({ store }) => {
    const selector = newSelector()
    const marker = endedMarker('signed-out')
    await store.create(selector, record(1), LONG)
    await store.end(selector, marker, LONG)
    assertFound(await store.replace(selector, version(1), record(2), LONG), marker)
    assertFound(await store.replace(selector, version(0), record(2), LONG), marker)
    await assertStored(store, selector, marker)
  })

  rule('a record may change its length and its user when it is replaced', async ({ store }) => {
    const selector = newSelector()
    await store.create(selector, record(1), LONG)
    const longer = record(2, { user: 'ada', body: new Uint8Array(5_000).fill(7) })
    assertDone(await store.replace(selector, version(1), longer, LONG))
    await assertStored(store, selector, longer)
    assertDone(await store.replace(selector, version(2), record(3), LONG))
    await assertStored(store, selector, record(3))
  })
}

function byteRules(rule: Rule): void {
  rule('every byte value comes back as it was stored', async ({ store }) => {
    const selector = newSelector()
    const body = Uint8Array.from({ length: 512 }, (_, at) => at % 256)
    await store.create(selector, record(1, { body }), LONG)
    await assertStored(store, selector, record(1, { body }))
  })

  rule('records of any length come back whole, from none of payload to 256 KiB', async ({ store }) => {
    for (const length of [0, 1, 7, 100, 1_000, 2_000, 4_085, 4_096, 10_000, 65_536, 262_144]) {
      const selector = newSelector()
      const value = record(1, { body: new Uint8Array(length).fill(length % 251) })
      await store.create(selector, value, LONG)
      await assertStored(store, selector, value)
    }
  })

  rule(
    'a record with the longest user id of 255 bytes, in characters of many bytes, comes back whole',
    async ({ store }) => {
      const selector = newSelector()
      const user = `${'日本語'.repeat(28)}abc`
      await store.create(selector, record(1, { user }), LONG)
      await assertStored(store, selector, record(1, { user }))
    },
  )
}

function aliasRules(rule: Rule): void {
  rule('a piece of a larger buffer is stored as that piece', async ({ store }) => {
    const selector = newSelector()
    const pool = Buffer.alloc(200, 0xee)
    pool.set(record(1), 50)
    await store.create(selector, pool.subarray(50, 50 + record(1).length), LONG)
    await assertStored(store, selector, record(1))
    pool.set(version(1), 120)
    assertDone(await store.replace(selector, pool.subarray(120, 128), record(2), LONG))
  })

  rule('a buffer that the caller uses again later does not change what was stored', async ({ store }) => {
    const selector = newSelector()
    const mine = record(1)
    await store.create(selector, mine, LONG)
    mine.fill(0xff)
    await assertStored(store, selector, record(1))
    const next = record(2)
    await store.replace(selector, version(1), next, LONG)
    next.fill(0xff)
    await assertStored(store, selector, record(2))
  })

  rule('what was loaded stays as it was, whatever is loaded or stored after it', async ({ store }) => {
    const [selector, other] = [newSelector(), newSelector()]
    await store.create(selector, record(1), LONG)
    await store.create(other, record(5), LONG)
    const loaded = await store.load(selector)
    const refused = await store.create(selector, record(4), LONG)
    await store.replace(selector, version(1), record(2), LONG)
    await store.load(selector)
    await store.load(other)
    await store.end(selector, endedMarker('revoked'), LONG)
    assertBytes(loaded, record(1))
    assertFound(refused, record(1))
  })
}
