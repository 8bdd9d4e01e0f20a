/** What the rules for adapters stand on: the caller's harness, and a bench with a server for one test. */
import type { Readable } from 'node:stream'
import { resolveOptions } from '../../core/options.ts'
import { Manager } from '../../core/sessions.ts'
import { memoryStore } from '../../stores/memory.ts'
import type { Awaitable } from '../../core/store.ts'
import type { BaseOptions, Session, Sessions } from '../../types.ts'
import { faultyStore, type FaultyStore } from '../faulty-store.ts'
import type { TestRunner } from '../store-contract/harness.ts'
import { ask, type Asked, cookiesOf, type Reply } from './client.ts'

/** The data that the rules keep. */
export interface ContractData {
  count?: number
  words?: string[]
}

/** A request and its response, in the framework's own ways. */
export interface Exchange {
  /** `undefined` on a route without a session. */
  readonly session: Session<ContractData> | undefined
  /** Sets a header of the answer, or appends a `Set-Cookie`. */
  header(name: string, value: string): void
  send(status: number, body: string): Awaitable<void>
  redirect(to: string): Awaitable<void>
  /** Answers 200 with the stream. */
  stream(source: Readable): Awaitable<void>
}

export interface ContractRoute {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** `false`: declared as a route without a session. */
  readonly session?: false | undefined
  /** `true`: declared as a route that signs out. */
  readonly signOut?: true | undefined
  readonly handler: (exchange: Exchange) => Awaitable<void>
}

export interface ContractServer {
  readonly port: number
  close(): Promise<void>
}

/** Serves routes through one adapter. Forms in `application/x-www-form-urlencoded` are parsed. */
export interface AdapterHarness {
  /**
   * Listens on 127.0.0.1, on any free port. What a handler throws is answered with 500. With `errors: 'forward'`, an
   * error of Holdfast's is answered with its `status` and the body `forwarded <code>`. Several managers: the first is
   * the exchange's session, the other's data gets `count: 1` with every request.
   */
  serve(
    managers: readonly Sessions<ContractData>[],
    routes: readonly ContractRoute[],
    options: { readonly errors: 'answer' | 'forward' },
  ): Promise<ContractServer>
}

/** A server, and what stands behind it. */
export interface Bench {
  readonly store: FaultyStore
  readonly sessions: Sessions<ContractData>
  readonly port: number
  ask(asked?: Asked): Promise<Reply>
  /** The cookies of a browser whose session has `{ count: 1 }`. */
  guest(): Promise<string>
}

export interface BenchOptions {
  readonly routes?: readonly ContractRoute[]
  readonly options?: BaseOptions
  readonly errors?: 'answer' | 'forward'
  /** A second manager beside the first. */
  readonly second?: boolean
}

/** Declares a test that gets a bench, and clears up after it. */
export type Rule = (title: string, setting: BenchOptions, body: (bench: Bench) => Promise<void>) => void

export function ruleOf(harness: AdapterHarness, runner: TestRunner): Rule {
  return (title, setting, body) => {
    runner.it(title, () => withBench(harness, setting, body))
  }
}

const COUNT: ContractRoute = {
  method: 'GET',
  path: '/count',
  handler: (exchange) => exchange.send(200, String(count(exchange))),
}
const READ: ContractRoute = {
  method: 'GET',
  path: '/read',
  handler: (exchange) => exchange.send(200, JSON.stringify(exchange.session?.data)),
}

/** Adds one to the session's count. */
export function count({ session }: Exchange): number {
  if (session === undefined) throw new TypeError('There is no session here.')
  session.data.count = (session.data.count ?? 0) + 1
  return session.data.count
}

async function withBench(
  harness: AdapterHarness,
  setting: BenchOptions,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const store = faultyStore(memoryStore())
  const sessions = managerOn(store, setting.options)
  const managers =
    setting.second === true ? [sessions, managerOn(store, { ...setting.options, name: 'second' })] : [sessions]
  await Promise.all(managers.map((manager) => manager.ready()))
  const server = await harness.serve(managers, [COUNT, READ, ...(setting.routes ?? [])], {
    errors: setting.errors ?? 'answer',
  })
  const { port } = server
  try {
    await body({
      store,
      sessions,
      port,
      ask: (asked) => ask(port, asked),
      guest: async () => cookiesOf(await ask(port, { path: '/count' })),
    })
  } finally {
    store.faults = {}
    await server.close()
    await Promise.all(managers.map((manager) => manager.close()))
  }
}

function managerOn(store: FaultyStore, options: BaseOptions = {}): Sessions<ContractData> {
  const settings = resolveOptions({ log: { warn: () => undefined, error: () => undefined }, ...options })
  return new Manager<ContractData>({ settings, secret: 'a secret for the contract of adapters', store })
}
