/** The store contract in the words of Redis: one command for each method, and one key for each command. What ends something, and what is asked to, waits for replicas. */
import { KIND_ENDED, USER_OFFSET, VERSION_OFFSET } from '../../core/record.ts'
import { DONE, UNCONFIRMED } from '../../core/store.ts'
import type {
  Durability,
  Durable,
  EndCondition,
  Enrolment,
  Patched,
  RecordBytes,
  Roll,
  Selector,
  Span,
  Store,
  StoreStats,
  StoreWatcher,
  Swap,
  Tracked,
} from '../../core/store.ts'
import { StoreUnavailableError } from '../../errors.ts'
import { Calls, type CallsSettings, type Confirmed, type Request } from './calls.ts'
import type { Deployment } from './deployment.ts'
import { openingFailure } from './failures.ts'
import { BAR, type Keys, LEASE_FIELD } from './keys.ts'
import type { Command, Reply } from './link.ts'
import { bytesOf, listOf, numberOf, textOf } from './replies.ts'
import * as scripts from './scripts.ts'

/** What a command does to its key. */
type Effect = 'read' | 'write'

export class RedisStore implements Store {
  readonly kind = 'redis'
  readonly mayLose = true
  readonly #keys: Keys
  readonly #settings: CallsSettings
  readonly #connect: () => Promise<Deployment>
  #watcher: StoreWatcher | undefined
  #deployment: Promise<Deployment> | undefined
  #where = ''
  #closing: Promise<void> | undefined
  #calls: Calls | undefined
  #closed = false
  /** Where the deployment can tell of changes. */
  readonly loadTracked?: (selector: Selector) => Promise<Tracked>

  /** `connect` makes the deployment; it is called once, by `open`. `tracks`: whether it can tell of changes. */
  constructor(keys: Keys, settings: CallsSettings, connect: () => Promise<Deployment>, tracks: boolean) {
    if (tracks) this.loadTracked = (selector) => this.#loadTracked(selector)
    this.#keys = keys
    this.#settings = settings
    this.#connect = connect
  }

  async open(): Promise<void> {
    if (this.#closed) throw this.#notConnected()
    await this.#connecting()
    try {
      // Proves everything at once: address, password, rights on our keys, and a server that knows such scripts.
      await this.epoch()
    } catch (error) {
      throw openingFailure(this.#where, error)
    }
  }

  watch(watcher: StoreWatcher): void {
    this.#watcher = watcher
  }

  async load(selector: Selector): Promise<RecordBytes | undefined> {
    return bytesOf(await this.#call('read', 'GET', this.#keys.record(selector)))
  }

  async remaining(selector: Selector): Promise<number | undefined> {
    const left = numberOf(await this.#call('read', 'PTTL', this.#keys.record(selector)))
    return left < 0 ? undefined : left
  }

  async create(selector: Selector, record: RecordBytes, ttl: number, durability?: Durability): Promise<Swap> {
    const command = ['SET', this.#keys.record(selector), bufferOf(record), 'PX', wholeMs(ttl), 'NX', 'GET'] as const
    const { reply, durable } = await this.#write({ command, key: command[1], write: true }, durability)
    return reply === null ? doneAs(durable) : { done: false, found: bytesOf(reply) }
  }

  async replace(
    selector: Selector,
    version: Uint8Array,
    record: RecordBytes,
    ttl: number,
    durability?: Durability,
  ): Promise<Swap> {
    const args = [bufferOf(version), bufferOf(record), wholeMs(ttl)]
    return swapOf(await this.#write(running(scripts.REPLACE, 'write', this.#keys.record(selector), args), durability))
  }

  async patch(
    selector: Selector,
    expected: Span,
    written: Span,
    ttl: number,
    durability?: Durability,
  ): Promise<Patched> {
    const spans = [String(expected.at), bufferOf(expected.bytes), String(written.at), bufferOf(written.bytes)]
    const request = running(scripts.PATCH, 'write', this.#keys.record(selector), [...spans, wholeMs(ttl)])
    const { reply, durable } = await this.#write(request, durability)
    const [done, found = null] = listOf(reply)
    const record = bytesOf(found)
    if (done !== 1 || record === undefined) return { done: false, found: record }
    return { done: true, durable, record }
  }

  async touch(selector: Selector, ttl: number): Promise<'touched' | 'absent' | 'ended'> {
    const kind = bytesOf(await this.#run(scripts.TOUCH, 'write', this.#keys.record(selector), wholeMs(ttl)))?.[0]
    if (kind === undefined) return 'absent'
    return kind === KIND_ENDED ? 'ended' : 'touched'
  }

  async end(selector: Selector, marker: RecordBytes, ttl: number, condition?: EndCondition): Promise<Swap> {
    const demand = condition === undefined ? [] : demandOf(condition)
    const args = [bufferOf(marker), wholeMs(ttl), ...demand]
    return swapOf(await this.#write(running(scripts.END, 'write', this.#keys.record(selector), args), 'replicated'))
  }

  async enroll(user: string, selector: Selector, lifetime: number): Promise<Pick<Roll, 'notBefore' | 'now'>> {
    const [notBefore, now] = listOf(
      await this.#run(scripts.ENROLL, 'write', this.#keys.user(user), wholeMs(lifetime), selector),
    )
    return { notBefore: numberOf(notBefore), now: numberOf(now) }
  }

  async withdraw(user: string, selector: Selector, until?: number): Promise<void> {
    const key = this.#keys.user(user)
    if (until === undefined) await this.#call('write', 'ZREM', key, selector)
    else await this.#run(scripts.WITHDRAW, 'write', key, selector, String(until))
  }

  async roll(user: string): Promise<Roll> {
    return rollOf(await this.#run(scripts.ROLL, 'read', this.#keys.user(user)))
  }

  async bar(user: string, lifetime: number): Promise<Roll & Durable> {
    const request = running(scripts.BAR_USER, 'write', this.#keys.user(user), [wholeMs(lifetime)])
    const { reply, durable } = await this.#write(request, 'replicated')
    return { ...rollOf(reply), durable }
  }

  async nextLease(): Promise<number> {
    return numberOf(await this.#call('write', 'HINCRBY', this.#keys.ledger, LEASE_FIELD, '1'))
  }

  async holdLease(lease: number, owner: string, ttl: number): Promise<string> {
    return textOf(await this.#run(scripts.HOLD_LEASE, 'write', this.#keys.lease(lease), owner, wholeMs(ttl)))
  }

  async epoch(): Promise<{ readonly epoch: number; readonly now: number }> {
    const [epoch, now] = listOf(await this.#run(scripts.EPOCH, 'read', this.#keys.ledger))
    return { epoch: numberOf(epoch), now: numberOf(now) }
  }

  async moveEpoch(): Promise<{ readonly epoch: number } & Durable> {
    const { reply, durable } = await this.#write(running(scripts.MOVE_EPOCH, 'write', this.#keys.ledger), 'replicated')
    return { epoch: numberOf(reply), durable }
  }

  stats(): StoreStats {
    return { commands: this.#calls?.commands ?? 0 }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#closing ??= this.#calls?.close()
    await this.#closing
  }

  async #connecting(): Promise<void> {
    if (this.#calls !== undefined) return
    const deployment = await (this.#deployment ??= this.#connect())
    if (this.#closed) throw this.#notConnected()
    this.#where = deployment.where
    this.#calls ??= new Calls(deployment, this.#settings, {
      replaced: () => this.#watcher?.replaced(),
      keyChanged: (key) => this.#keyChanged(key),
      untracked: () => this.#watcher?.untracked?.(),
    })
  }

  async #loadTracked(selector: Selector): Promise<Tracked> {
    const key = this.#keys.record(selector)
    if (this.#calls === undefined) throw this.#notConnected()
    const { reply, tracked } = await this.#calls.tracked({ command: ['GET', key], key, write: false })
    return { found: bytesOf(reply), tracked }
  }

  /** Redis also tells of keys of other kinds that our scripts have read. */
  #keyChanged(key: string): void {
    const selector = this.#keys.selector(key)
    if (selector !== undefined) this.#watcher?.changed?.(selector)
  }

  #call(effect: Effect, name: string, key: string, ...args: string[]): Promise<Reply> {
    return this.#ask({ command: [name, key, ...args], key, write: effect === 'write' })
  }

  #run(script: scripts.Script, effect: Effect, key: string, ...args: string[]): Promise<Reply> {
    return this.#ask(running(script, effect, key, args))
  }

  #ask(request: Request): Promise<Reply> {
    return this.#calls?.call(request) ?? Promise.reject(this.#notConnected())
  }

  async #write(request: Request, durability: Durability = 'primary'): Promise<Confirmed> {
    if (durability === 'primary') return { reply: await this.#ask(request), durable: true }
    return this.#calls?.confirmed(request) ?? Promise.reject(this.#notConnected())
  }

  #notConnected(): StoreUnavailableError {
    return new StoreUnavailableError(`The Redis store is ${this.#closed ? 'closed' : 'not open'}.`)
  }
}

/** The bytes that a record has to have, and where, for a conditional end. */
function demandOf(condition: EndCondition): [offset: string, bytes: Buffer] {
  if ('version' in condition) return [String(VERSION_OFFSET), bufferOf(condition.version)]
  const user = Buffer.from(condition.user, 'utf8')
  return [String(USER_OFFSET), Buffer.concat([Uint8Array.of(user.length), user])]
}

/** A script on its one key. */
function running({ sha, source }: scripts.Script, effect: Effect, key: string, args: Command = []): Request {
  return {
    command: ['EVALSHA', sha, '1', key, ...args],
    unknownScript: ['EVAL', source, '1', key, ...args],
    key,
    write: effect === 'write',
  }
}

function swapOf({ reply, durable }: Confirmed): Swap {
  return reply === 1 ? doneAs(durable) : { done: false, found: bytesOf(reply) }
}

function doneAs(durable: boolean): Swap {
  return durable ? DONE : UNCONFIRMED
}

function rollOf(reply: Reply): Roll {
  const [first, members] = listOf(reply)
  const now = numberOf(first)
  const entries: Enrolment[] = []
  let notBefore = 0
  const flat = listOf(members).map(textOf)
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [member, time] = [flat[at] ?? '', Number(flat[at + 1])]
    if (member === BAR) notBefore = time
    else entries.push({ selector: member as Selector, age: now - time })
  }
  return { entries, notBefore, now }
}

/** The same bytes, as the client takes them. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Redis takes whole milliseconds, and at least one. */
function wholeMs(duration: number): string {
  return String(Math.max(1, Math.ceil(duration)))
}
