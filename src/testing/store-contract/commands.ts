/** Random commands for the model-based part: what servers ask of a store, and how it is asked. */
import { endedMarker, VERSION_OFFSET } from '../../core/record.ts'
import type { Awaitable, EndCondition, RecordBytes, Selector, Store } from '../../core/store.ts'
import { hex } from './expect.ts'
import { record, selectorOf, version } from './harness.ts'

/** What one server asks for. Times are in units; every record that is written differs from every other. */
export type Command = { readonly server: number } & (
  | { readonly name: 'load' | 'remaining'; readonly key: Selector }
  | {
      readonly name: 'create' | 'replace'
      readonly key: Selector
      readonly write: number
      readonly user: string
      readonly ttl: number
    }
  | { readonly name: 'touch'; readonly key: Selector; readonly ttl: number }
  /** Gives the record in the version that its server has seen another version. */
  | { readonly name: 'patch'; readonly key: Selector; readonly write: number; readonly ttl: number }
  | {
      readonly name: 'end'
      readonly key: Selector
      readonly ttl: number
      readonly reason: 'signed-out' | 'revoked'
      /** In which version, or of which user; `undefined`: whatever is there. */
      readonly only: { readonly version: 'seen' } | { readonly user: string } | undefined
    }
  | { readonly name: 'enroll' | 'withdraw'; readonly user: string; readonly key: Selector }
  | { readonly name: 'roll' | 'bar'; readonly user: string }
  | { readonly name: 'nextLease' | 'epoch' | 'moveEpoch' }
  | { readonly name: 'holdLease'; readonly lease: number; readonly owner: string; readonly ttl: number }
)

/** Commands that are started together, or a while in which nothing happens. */
export type Step = { readonly wait: number } | { readonly burst: readonly Command[] }

/** A command as it was sent: with the version that its server had seen, and the record that it writes. */
export interface Issued {
  readonly command: Command
  readonly seen: Uint8Array
  readonly bytes: RecordBytes
  readonly condition: EndCondition | undefined
}

/** Units for which enrolments and bars last. Halves, so that no deadline falls on the moment of a command. */
export const LIFETIME = 6.5
export const SERVERS = 3

const KEYS = ['model-a', 'model-b', 'model-c'].map(selectorOf)
const USERS = ['ada', 'bob']
const TTLS = [1.5, 3.5, 8.5, 1_000.5]

/** A source of numbers that gives the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** The steps of one run. */
export function stepsFor(seed: number, count: number): Step[] {
  const random = randomFrom(seed)
  return Array.from({ length: count }, (_step, step) => {
    if (random(8) === 0) return { wait: 1 + random(4) }
    const size = random(3) === 0 ? 2 + random(3) : 1
    return { burst: Array.from({ length: size }, (_place, place) => randomCommand(random, step * 8 + place + 1)) }
  })
}

function randomCommand(random: (below: number) => number, write: number): Command {
  const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)]!
  const server = random(SERVERS)
  const [key, user, ttl] = [pick(KEYS), pick(USERS), pick(TTLS)]
  const names = [
    'load',
    'load',
    'create',
    'create',
    'create',
    'replace',
    'replace',
    'replace',
    'replace',
    'touch',
    'touch',
    'patch',
    'end',
    'end',
    'remaining',
    'enroll',
    'enroll',
    'withdraw',
    'roll',
    'bar',
    'nextLease',
    'holdLease',
    'epoch',
    'moveEpoch',
  ] as const
  const name = pick(names)
  if (name === 'load' || name === 'remaining') return { server, name, key }
  if (name === 'create' || name === 'replace') return { server, name, key, write, user: pick([...USERS, '']), ttl }
  if (name === 'touch') return { server, name, key, ttl }
  if (name === 'patch') return { server, name, key, write, ttl }
  if (name === 'end')
    return {
      server,
      name,
      key,
      ttl,
      reason: pick(['signed-out', 'revoked']),
      only: pick([undefined, { version: 'seen' } as const, { user }]),
    }
  if (name === 'enroll' || name === 'withdraw') return { server, name, user, key }
  if (name === 'roll' || name === 'bar') return { server, name, user }
  if (name === 'holdLease') return { server, name, lease: 1 + random(2), owner: `server ${server}`, ttl }
  return { server, name }
}

/** Makes a command ready to be sent by a server that has seen that version. */
export function issue(command: Command, seen: Uint8Array): Issued {
  const writes = command.name === 'create' || command.name === 'replace'
  const body = Uint8Array.of(command.server)
  const bytes = writes
    ? record(command.write, { stamp: command.server, user: command.user, body })
    : endedMarker(command.name === 'end' ? command.reason : 'revoked')
  return { command, seen, bytes, condition: conditionOf(command, seen) }
}

function conditionOf(command: Command, seen: Uint8Array): EndCondition | undefined {
  if (command.name !== 'end' || command.only === undefined) return undefined
  return 'user' in command.only ? command.only : { version: seen }
}

/** The version that no record has. */
export const UNSEEN: Uint8Array = version(0)

/** Asks the store. */
export function send(store: Store, { command, seen, bytes, condition }: Issued, unit: number): Awaitable<unknown> {
  switch (command.name) {
    case 'load':
      return store.load(command.key)
    case 'remaining':
      return store.remaining(command.key)
    case 'create':
      return store.create(command.key, bytes, command.ttl * unit)
    case 'replace':
      return store.replace(command.key, seen, bytes, command.ttl * unit)
    case 'patch': {
      const written = { at: VERSION_OFFSET, bytes: version(command.write, command.server) }
      return store.patch(command.key, { at: VERSION_OFFSET, bytes: seen }, written, command.ttl * unit)
    }
    case 'touch':
      return store.touch(command.key, command.ttl * unit)
    case 'end':
      return store.end(command.key, bytes, command.ttl * unit, condition)
    case 'enroll':
      return store.enroll(command.user, command.key, LIFETIME * unit)
    case 'withdraw':
      return store.withdraw(command.user, command.key)
    case 'roll':
      return store.roll(command.user)
    case 'bar':
      return store.bar(command.user, LIFETIME * unit)
    case 'nextLease':
      return store.nextLease()
    case 'holdLease':
      return store.holdLease(command.lease, command.owner, command.ttl * unit)
    case 'epoch':
      return store.epoch()
    case 'moveEpoch':
      return store.moveEpoch()
  }
}

/** A command and its answer on one line. */
export function describeStep(step: Step, answers: readonly unknown[] = []): string {
  if ('wait' in step) return `wait ${step.wait}`
  return step.burst
    .map((command, at) => `${JSON.stringify(command)} → ${JSON.stringify(answers[at], readable)}`)
    .join('\n  beside ')
}

function readable(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? hex(value) : value
}
