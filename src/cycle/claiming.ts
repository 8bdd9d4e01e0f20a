/**
 * Taking a cycle for its final step: one conditional write, which only one of all servers gets through, and which a
 * replica confirms where there is one. Where that fails nothing has been run, and the cycle is let go: as it was before, in
 * doubt where it was taken from a server that may have run it.
 */
import { setTimeout as pause } from 'node:timers/promises'

import type { Patched, RecordBytes } from '../core/store.ts'
import { StoreUnavailableError } from '../errors.ts'
import { ask, isLost } from './asking.ts'
import {
  encodeState,
  expectClaim,
  expectStamp,
  headOf,
  STAMP_LENGTH,
  UNCLAIMED,
  writeClaim,
  writeRecord,
  type Claim,
  type CycleHead,
} from './cycle-record.ts'
import type { Place, Stored } from './place.ts'

/** A claim that is ours, with the record as it stands since. */
export interface Held extends Stored {
  readonly claim: Claim
  readonly from: From
}

/** What a claim met: it is ours now, or what stands there (`undefined`: nothing yet). */
export type Claimed = { readonly ours: Held } | { readonly theirs: Stored | undefined }

/** What a claim is taken from: nobody's, or that of a server that died. */
type From = Pick<CycleHead, 'phase' | 'claim'>

/** Milliseconds between two attempts to let go: the first, and the longest. */
const AGAIN_FIRST = 200
const AGAIN_MOST = 2_000

/** Takes the cycle from exactly that claim. `CycleError` for one that is over; `StoreUnavailableError` where it is not known or not confirmed. */
export async function take<State>(place: Place<State>, from: From = UNCLAIMED): Promise<Claimed> {
  const { services, settings } = place.realm
  const claim = { stamp: services.random(STAMP_LENGTH), deadline: place.realm.now() + settings.lease }
  const answer = await claimed(place, from, claim)
  if (!answer.done) return { theirs: place.read(answer.found) }
  if (!answer.durable) {
    await freed(place, { claim, from })
    throw new StoreUnavailableError(
      `No replica confirmed the claim on a cycle (${settings.kind}), so its final step was not run. Try again.`,
      { handle: place.realm.handle },
    )
  }
  try {
    const stored = place.read(answer.record)
    if (stored !== undefined) return { ours: { ...stored, claim, from } }
  } catch (error) {
    // What cannot be read is left as it was.
    await freed(place, { claim, from })
    throw error
  }
  return { theirs: undefined }
}

/** Gives a cycle back whose final step was not begun. Answers whether it was still ours to give. */
export async function letGo<State>(place: Place<State>, held: Held): Promise<boolean> {
  return (await release(place, held)).done
}

async function claimed<State>(place: Place<State>, from: From, claim: Claim): Promise<Patched> {
  try {
    return await sent(place, from, claim)
  } catch (error) {
    if (!isLost(error)) throw error
  }
  try {
    // The same once more: it can go through only once.
    const again = await sent(place, from, claim)
    if (again.done || !isOurs(again.found, claim)) return again
    // The first one had arrived. Whether a replica has it, a write of its own asks.
    const written = writeClaim({ phase: 'running', claim }, place.version())
    return await place.patch(expectStamp('running', claim), written, 'replicated')
  } catch (error) {
    letGoSoon(place, { claim, from })
    throw error
  }
}

/**
 * A cycle that began without a state may have no record yet: then the claim is its first. Both are sent at once, and one
 * at most goes through.
 */
async function sent<State>(place: Place<State>, from: From, claim: Claim): Promise<Patched> {
  const { services, settings } = place.realm
  const last = settings.steps === undefined ? undefined : settings.steps.length - 1
  const head = { phase: 'running', claim } as const
  const patch = ask(() => place.patch(expectClaim(from, last), writeClaim(head, place.version()), 'replicated'))
  if (place.stored || last !== undefined || from.phase !== 'open') return patch
  const state = encodeState(undefined, services.settings.limits)
  const record = writeRecord({ ...head, id: place.id, version: place.version(), step: undefined, state })
  const create = ask(() => services.store.create(place.key, record, place.ttl, 'replicated'))
  const [created, patched] = await Promise.allSettled([create, patch])
  if (created.status === 'fulfilled' && created.value.done) return { ...created.value, record }
  if (patched.status === 'fulfilled' && patched.value.done) return patched.value
  const failed = [created, patched].flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []))
  const worst = failed.find(isLost) ?? failed[0]
  if (worst !== undefined) throw worst
  const found = created.status === 'fulfilled' && !created.value.done ? created.value.found : undefined
  return { done: false, found }
}

/** A claim that nothing is run under, with what it was taken from. */
type Vain = Pick<Held, 'claim' | 'from'>

/** At once, or in the background; never fails. */
async function freed<State>(place: Place<State>, vain: Vain): Promise<void> {
  await release(place, vain).catch(() => letGoSoon(place, vain))
}

async function release<State>(place: Place<State>, { claim, from }: Vain): Promise<Patched> {
  // What somebody else may have run stays in doubt: nobody has learned anything about it. And its claimer may record it yet.
  const before = from.phase === 'open' ? UNCLAIMED : ({ phase: 'in-doubt', claim: from.claim } as const)
  return place.patch(expectStamp('running', claim), writeClaim(before, place.version()))
}

/** For as long as the claim would hold: it may still be on its way. Nobody waits for this. */
function letGoSoon<State>(place: Place<State>, vain: Vain): void {
  const attempt = async (): Promise<void> => {
    let wait = AGAIN_FIRST
    while (place.realm.now() < vain.claim.deadline) {
      await pause(wait, undefined, { ref: false })
      wait = Math.min(2 * wait, AGAIN_MOST)
      const answer = await release(place, vain).catch(() => undefined)
      if (answer !== undefined && (answer.done || !stands(vain.from, answer.found))) return
    }
  }
  void attempt()
}

/** Whether what a claim is taken from is there still, so that one on its way could go through. */
function stands({ phase, claim }: From, found: RecordBytes | undefined): boolean {
  if (found === undefined) return phase === 'open'
  const head = headOf(found)
  return head?.phase === phase && head.claim.stamp.equals(claim.stamp)
}

function isOurs(found: RecordBytes | undefined, { stamp }: Claim): boolean {
  const head = found === undefined ? undefined : headOf(found)
  return head?.phase === 'running' && head.claim.stamp.equals(stamp)
}
