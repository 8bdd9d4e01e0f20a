/**
 * What the contract says, as a program that only judges: given a state, a command and its answer, it tells the
 * state after it, or that the answer is wrong. Times are in units since the run began, except those that the
 * store itself gave out.
 */
import { isEnded, userOf, VERSION_OFFSET, versionOf } from '../../core/record.ts'
import type { Patched, RecordBytes, Roll, Selector, Swap } from '../../core/store.ts'
import { LIFETIME, type Issued } from './commands.ts'
import { hex } from './expect.ts'
import { version } from './harness.ts'

interface Held<Value> {
  readonly value: Value
  readonly expires: number
}

interface User {
  readonly entries: Readonly<Record<Selector, number>>
  readonly notBefore: number
  /** Until when `notBefore` must be told, and when nothing may be left. */
  readonly barred: number
  readonly expires: number
  /** The latest of the store's times that an enrolment got. */
  readonly latest: number
}

export interface State {
  readonly now: number
  readonly values: Readonly<Record<Selector, Held<RecordBytes>>>
  readonly users: Readonly<Record<string, User>>
  readonly leases: Readonly<Record<number, Held<string>>>
  readonly lease: number
  readonly epoch: number
  /** The latest of the store's times that `epoch` answered. */
  readonly told: number
}

/** How the store's times translate: its time when the run began, and the milliseconds of a unit. */
export interface Scale {
  readonly base: number
  readonly unit: number
}

export const START: State = { now: 0, values: {}, users: {}, leases: {}, lease: 0, epoch: 0, told: 0 }

/** The state after the command, if it was answered like this; `undefined` where the contract forbids that answer. */
export function judge(state: State, issued: Issued, answer: unknown, scale: Scale): State | undefined {
  const { command } = issued
  switch (command.name) {
    case 'load':
      return hex(answer as RecordBytes | undefined) === hex(valueOf(state, command.key)) ? state : undefined
    case 'remaining':
      return judgeRemaining(state, command.key, answer as number | undefined, scale)
    case 'create':
    case 'replace':
    case 'end':
      return judgeSwap(state, issued, answer as Swap)
    case 'patch':
      return judgePatch(state, issued, answer as Patched)
    case 'touch':
      return judgeTouch(state, command.key, command.ttl, answer)
    case 'enroll':
    case 'withdraw':
    case 'roll':
    case 'bar':
      return judgeUser(state, command, answer as Roll | undefined, scale)
    case 'nextLease':
      return typeof answer === 'number' && answer > state.lease ? { ...state, lease: answer } : undefined
    case 'holdLease':
      return judgeLease(state, command, answer)
    case 'epoch':
      return judgeEpoch(state, answer as { epoch: number; now: number }, scale)
    case 'moveEpoch':
      return judgeMove(state, (answer as { epoch: number }).epoch, scale)
  }
}

function valueOf(state: State, key: Selector): RecordBytes | undefined {
  const held = state.values[key]
  return held !== undefined && held.expires > state.now ? held.value : undefined
}

function put(state: State, key: Selector, value: RecordBytes, ttl: number): State {
  return { ...state, values: { ...state.values, [key]: { value, expires: state.now + ttl } } }
}

function judgeRemaining(state: State, key: Selector, answer: number | undefined, { unit }: Scale): State | undefined {
  const present = valueOf(state, key) !== undefined
  if (!present || answer === undefined) return present === (answer !== undefined) ? state : undefined
  return Math.abs(answer / unit - (state.values[key]!.expires - state.now)) <= 0.5 ? state : undefined
}

function judgeSwap(state: State, issued: Issued, answer: Swap): State | undefined {
  const { command } = issued
  if (command.name !== 'create' && command.name !== 'replace' && command.name !== 'end') return undefined
  const found = valueOf(state, command.key)
  if (!mayPut(issued, found)) return !answer.done && hex(answer.found) === hex(found) ? state : undefined
  if (!answer.done) return undefined
  const stays = command.name === 'end' && found !== undefined && isEnded(found)
  return stays ? state : put(state, command.key, issued.bytes, command.ttl)
}

function mayPut({ command, seen, condition }: Issued, found: RecordBytes | undefined): boolean {
  if (command.name === 'create') return found === undefined
  if (command.name === 'replace') return found !== undefined && !isEnded(found) && hex(versionOf(found)) === hex(seen)
  if (found === undefined || isEnded(found) || condition === undefined) return true
  return 'user' in condition ? userOf(found) === condition.user : hex(versionOf(found)) === hex(condition.version)
}

function judgePatch(state: State, { command, seen }: Issued, answer: Patched): State | undefined {
  if (command.name !== 'patch') return undefined
  const found = valueOf(state, command.key)
  if (found === undefined || isEnded(found) || hex(versionOf(found)) !== hex(seen))
    return !answer.done && hex(answer.found) === hex(found) ? state : undefined
  const record = Uint8Array.from(found)
  record.set(version(command.write, command.server), VERSION_OFFSET)
  return answer.done && hex(answer.record) === hex(record) ? put(state, command.key, record, command.ttl) : undefined
}

function judgeTouch(state: State, key: Selector, ttl: number, answer: unknown): State | undefined {
  const found = valueOf(state, key)
  if (found === undefined) return answer === 'absent' ? state : undefined
  if (isEnded(found)) return answer === 'ended' ? state : undefined
  if (answer !== 'touched') return undefined
  return put(state, key, found, Math.max(ttl, state.values[key]!.expires - state.now))
}

function judgeLease(
  state: State,
  command: { lease: number; owner: string; ttl: number },
  answer: unknown,
): State | undefined {
  const held = state.leases[command.lease]
  const taken = held !== undefined && held.expires > state.now && held.value !== command.owner
  if (taken) return answer === held.value ? state : undefined
  if (answer !== command.owner) return undefined
  return {
    ...state,
    leases: { ...state.leases, [command.lease]: { value: command.owner, expires: state.now + command.ttl } },
  }
}

function judgeEpoch(state: State, answer: { epoch: number; now: number }, scale: Scale): State | undefined {
  if (answer.epoch !== state.epoch || !near(answer.now, state, scale)) return undefined
  return { ...state, told: Math.max(state.told, answer.now) }
}

function judgeMove(state: State, epoch: number, scale: Scale): State | undefined {
  const reaches = epoch >= state.epoch && epoch >= state.told
  return reaches && near(epoch, state, scale) ? { ...state, epoch } : undefined
}

const NOBODY: User = { entries: {}, notBefore: 0, barred: 0, expires: 0, latest: 0 }

function judgeUser(
  state: State,
  command: { name: 'enroll' | 'withdraw' | 'roll' | 'bar'; user: string; key?: Selector },
  answer: Roll | undefined,
  scale: Scale,
): State | undefined {
  const known = state.users[command.user] ?? NOBODY
  const user = known.expires > state.now ? known : { ...NOBODY, latest: known.latest }
  const next = (changed: User): State => ({ ...state, users: { ...state.users, [command.user]: changed } })
  if (command.name === 'withdraw') return next({ ...user, entries: without(user.entries, command.key!) })
  if (answer === undefined || !near(answer.now, state, scale)) return undefined
  const expires = Math.max(user.expires, state.now + LIFETIME)
  if (command.name === 'bar') {
    if (
      answer.notBefore < Math.max(user.latest, user.notBefore) ||
      !near(answer.notBefore, state, scale) ||
      !lists(answer, user, state, scale)
    )
      return undefined
    return next({ ...user, notBefore: answer.notBefore, barred: state.now + LIFETIME, expires })
  }
  if (answer.notBefore !== user.notBefore && !(answer.notBefore === 0 && user.barred <= state.now)) return undefined
  if (command.name === 'roll') return lists(answer, user, state, scale) ? state : undefined
  const young = Object.entries(user.entries).filter(([, since]) => state.now - since <= LIFETIME)
  return next({
    ...user,
    entries: { ...Object.fromEntries(young), [command.key!]: state.now },
    expires,
    latest: Math.max(user.latest, answer.now),
  })
}

/** The roll lists each visit of the user once, with its age; those past their lifetime it may leave out. */
function lists(roll: Roll, user: User, state: State, { unit }: Scale): boolean {
  const listed = new Map(roll.entries.map((entry) => [entry.selector, entry.age / unit]))
  if (listed.size !== roll.entries.length) return false
  if ([...listed.keys()].some((key) => user.entries[key] === undefined)) return false
  return Object.entries(user.entries).every(([key, since]) => {
    const age = listed.get(key as Selector)
    return age === undefined ? state.now - since > LIFETIME : Math.abs(age - (state.now - since)) <= 0.5
  })
}

function without(entries: User['entries'], key: Selector): User['entries'] {
  return Object.fromEntries(Object.entries(entries).filter(([other]) => other !== key))
}

/** A time of the store that is about the present. */
function near(time: number, state: State, { base, unit }: Scale): boolean {
  return Math.abs((time - base) / unit - state.now) <= 0.5
}
