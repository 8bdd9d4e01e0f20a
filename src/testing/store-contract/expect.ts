/** Assertions in the contract's own words. */
import assert from 'node:assert/strict'
import type { RecordBytes, Selector, Store, Swap } from '../../core/store.ts'

export function assertDone(swap: Swap): void {
  assert.deepEqual(swap, { done: true, durable: true })
}

/** The swap was refused, and `found` is what stood there. */
export function assertFound(swap: Swap, found: RecordBytes | undefined): void {
  assert.equal(swap.done, false, 'the swap went through')
  assertBytes(swap.done ? undefined : swap.found, found)
}

/** What stands under the selector, for every one of the handles. */
export async function assertStored(
  stores: Store | readonly Store[],
  selector: Selector,
  value: RecordBytes | undefined,
): Promise<void> {
  for (const store of 'load' in stores ? [stores] : stores) assertBytes(await store.load(selector), value)
}

export function assertBytes(actual: RecordBytes | undefined, expected: RecordBytes | undefined): void {
  assert.equal(hex(actual), hex(expected))
}

/** The two numbers are equal but for what passes between two commands. */
export function assertAbout(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not about ${expected} (± ${tolerance})`)
}

export function hex(bytes: RecordBytes | undefined): string | undefined {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
