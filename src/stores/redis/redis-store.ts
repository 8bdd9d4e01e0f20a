/** The store contract in the words of Redis: one command for each method, and one key for each command. */
import { KIND_ENDED, USER_OFFSET, VERSION_OFFSET } from '../../core/record.ts'
import { DONE } from '../../core/store.ts'
import type {
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
  Swap,
} from '../../core/store.ts'
import { StoreUnavailableError } from '../../errors.ts'
import type { Command, RedisClient, Reply } from './client.ts'
import { Connection, type ConnectionSettings } from './connection.ts'
import { openingFailure } from './failures.ts'
import { BAR, type Keys, LEASE_FIELD } from './keys.ts'
import { bytesOf, listOf, numberOf, textOf } from './replies.ts'
import * as scripts from './scripts.ts'

/** What a script does to its key. */
type Effect = 'read' | 'write'

export class RedisStore implements Store {
  readonly kind = 'redis'
  readonly #keys: Keys
  readonly #settings: ConnectionSettings
  readonly #connectClient: () => Promise<RedisClient>
  #client: Promise<RedisClient> | undefined
  #closing: Promise<void> | undefined
  #connected: Connection | undefined
  #closed = false

  /** `connectClient` makes the client; it is called once, by `open`. */
  constructor(keys: Keys, settings: ConnectionSettings, connectClient: () => Promise<RedisClient>) {
    this.#keys = keys
    this.#settings = settings
    this.#connectClient = connectClient
  }

  async open(): Promise<void> {
    if (this.#closed) throw this.#notConnected()
    await this.#connecting()
    try {
      // Proves everything at once: address, password, rights on our keys, and a server that knows such scripts.
      await this.epoch()
    } catch (error) {
      throw openingFailure(this.#settings.where, error)
    }
  }

  async load(selector: Selector): Promise<RecordBytes | undefined> {
    return bytesOf(await this.#call(['GET', this.#keys.record(selector)], 'read'))
  }

  async remaining(selector: Selector): Promise<number | undefined> {
    const left = numberOf(await this.#call(['PTTL', this.#keys.record(selector)], 'read'))
    return left < 0 ? undefined : left
  }

  async create(selector: Selector, record: RecordBytes, ttl: number): Promise<Swap> {
    const reply = await this.#call(
      ['SET', this.#keys.record(selector), bufferOf(record), 'PX', wholeMs(ttl), 'NX', 'GET'],
      'write',
    )
    return reply === null ? DONE : { done: false, found: bytesOf(reply) }
  }

  async replace(selector: Selector, version: Uint8Array, record: RecordBytes, ttl: number): Promise<Swap> {
    return swapOf(
      await this.#run(
        scripts.REPLACE,
        'write',
        this.#keys.record(selector),
        bufferOf(version),
        bufferOf(record),
        wholeMs(ttl),
      ),
    )
  }

  async patch(selector: Selector, expected: Span, written: Span, ttl: number): Promise<Patched> {
    const spans = [String(expected.at), bufferOf(expected.bytes), String(written.at), bufferOf(written.bytes)]
    const reply = await this.#run(scripts.PATCH, 'write', this.#keys.record(selector), ...spans, wholeMs(ttl))
    const [done, found = null] = listOf(reply)
    const record = bytesOf(found)
    if (done !== 1 || record === undefined) return { done: false, found: record }
    return { done: true, durable: true, record }
  }

  async touch(selector: Selector, ttl: number): Promise<'touched' | 'absent' | 'ended'> {
    const kind = bytesOf(await this.#run(scripts.TOUCH, 'write', this.#keys.record(selector), wholeMs(ttl)))?.[0]
    if (kind === undefined) return 'absent'
    return kind === KIND_ENDED ? 'ended' : 'touched'
  }

  async end(selector: Selector, marker: RecordBytes, ttl: number, condition?: EndCondition): Promise<Swap> {
    const demand = condition === undefined ? [] : demandOf(condition)
    return swapOf(
      await this.#run(scripts.END, 'write', this.#keys.record(selector), bufferOf(marker), wholeMs(ttl), ...demand),
    )
  }

  async enroll(user: string, selector: Selector, lifetime: number): Promise<Pick<Roll, 'notBefore' | 'now'>> {
    const [notBefore, now] = listOf(
      await this.#run(scripts.ENROLL, 'write', this.#keys.user(user), wholeMs(lifetime), selector),
    )
    return { notBefore: numberOf(notBefore), now: numberOf(now) }
  }

  async withdraw(user: string, selector: Selector, until?: number): Promise<void> {
    const key = this.#keys.user(user)
    if (until === undefined) await this.#call(['ZREM', key, selector], 'write')
    else await this.#run(scripts.WITHDRAW, 'write', key, selector, String(until))
  }

  async roll(user: string): Promise<Roll> {
    return rollOf(await this.#run(scripts.ROLL, 'read', this.#keys.user(user)))
  }

  async bar(user: string, lifetime: number): Promise<Roll & Durable> {
    const reply = await this.#run(scripts.BAR_USER, 'write', this.#keys.user(user), wholeMs(lifetime))
    return { ...rollOf(reply), durable: true }
  }

  async nextLease(): Promise<number> {
    return numberOf(await this.#call(['HINCRBY', this.#keys.ledger, LEASE_FIELD, '1'], 'write'))
  }

  async holdLease(lease: number, owner: string, ttl: number): Promise<string> {
    return textOf(await this.#run(scripts.HOLD_LEASE, 'write', this.#keys.lease(lease), owner, wholeMs(ttl)))
  }

  async epoch(): Promise<{ readonly epoch: number; readonly now: number }> {
    const [epoch, now] = listOf(await this.#run(scripts.EPOCH, 'read', this.#keys.ledger))
    return { epoch: numberOf(epoch), now: numberOf(now) }
  }

  async moveEpoch(): Promise<{ readonly epoch: number } & Durable> {
    return { epoch: numberOf(await this.#run(scripts.MOVE_EPOCH, 'write', this.#keys.ledger)), durable: true }
  }

  stats(): StoreStats {
    return { commands: this.#connected?.commands ?? 0 }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#closing ??= this.#connected?.close()
    await this.#closing
  }

  async #connecting(): Promise<void> {
    if (this.#connected !== undefined) return
    const client = await (this.#client ??= this.#connectClient())
    if (this.#closed) throw this.#notConnected()
    this.#connected ??= new Connection(client, this.#settings)
  }

  #call(command: Command, effect: Effect): Promise<Reply> {
    return this.#connected?.call({ command, write: effect === 'write' }) ?? Promise.reject(this.#notConnected())
  }

  #run({ sha, source }: scripts.Script, effect: Effect, key: string, ...args: (string | Buffer)[]): Promise<Reply> {
    const request = {
      command: ['EVALSHA', sha, '1', key, ...args],
      unknownScript: ['EVAL', source, '1', key, ...args],
      write: effect === 'write',
    }
    return this.#connected?.call(request) ?? Promise.reject(this.#notConnected())
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

function swapOf(reply: Reply): Swap {
  return reply === 1 ? DONE : { done: false, found: bytesOf(reply) }
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
