/** Looks at what a browser's session is in the store, and spoils it. */
import { openId, type Rank } from '../../src/core/cookie.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { decodeRecord, encodeRecord } from '../../src/core/live-record.ts'
import { isEnded, versionOf } from '../../src/core/record.ts'
import type { Selector, Store } from '../../src/core/store.ts'
import { SECRET, type Browser } from './core-browser.ts'

/** Under which selector the browser's session is stored. */
export function selectorOf(browser: Browser, rank: Rank): Selector {
  const opened = openId(createKeyring(SECRET, ''), rank, browser.jar.get(`__Host-${rank}`) ?? '')
  if (!('id' in opened)) throw new Error(`The browser has no genuine ${rank}: ${opened.why}`)
  return opened.id.selector
}

/** Whether the marker of an ended session is stored there. */
export async function hasEnded(store: Store, selector: Selector): Promise<boolean> {
  const bytes = await store.load(selector)
  return bytes !== undefined && isEnded(bytes)
}

/** Puts data in place of a session's that no version of the codec reads, as a newer one may have left them. */
export async function makeUndecodable(store: Store, selector: Selector): Promise<void> {
  const bytes = await store.load(selector)
  const record = bytes === undefined ? undefined : decodeRecord(bytes)
  if (bytes === undefined || record === undefined) throw new Error('There is no record to spoil.')
  const spoiled = { ...record, counter: record.counter + 1, payload: Buffer.from('{"a":{"$z":1}}') }
  const swap = await store.replace(selector, versionOf(bytes), encodeRecord(spoiled, Buffer.from([1, 2, 3, 4])), 1e6)
  if (!swap.done) throw new Error('The record changed meanwhile.')
}
