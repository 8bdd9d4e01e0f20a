/** Drives the core without HTTP: a deployment of several servers over one store, and browsers with cookie jars. */
import { resolveOptions } from '../../src/core/options.ts'
import type { RandomSource } from '../../src/core/random.ts'
import type { OldSessions } from '../../src/core/old-sessions.ts'
import { beginVisit, Manager } from '../../src/core/sessions.ts'
import type { Migrate } from '../../src/core/shape.ts'
import type { Store } from '../../src/core/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { BaseOptions, Secrets, Session } from '../../src/types.ts'

/** What the tests keep in sessions. */
export interface TestData {
  [key: string]: unknown
}

/** A clock that stands still until it is told otherwise. */
export interface TestClock {
  now: () => number
  forward(milliseconds: number): void
}

export function testClock(start = Date.UTC(2026, 10, 22)): TestClock {
  let time = start
  return { now: () => time, forward: (milliseconds) => void (time += milliseconds) }
}

export const SECRET = 'a secret of at least thirty-two bytes, for tests'

export interface Deployment {
  readonly clock: TestClock
  readonly store: Store
  readonly servers: readonly Manager<TestData>[]
}

/** What the servers of a test are told. */
export type ServerOptions = BaseOptions & {
  readonly initial?: () => TestData
  readonly version?: number
  readonly migrate?: Migrate
  readonly adopt?: readonly OldSessions[]
}

const quiet = { warn: () => undefined, error: () => undefined }

/** One more server over a store. */
export function server(
  store: Store,
  clock: TestClock,
  options: ServerOptions = {},
  secret: Secrets = SECRET,
  random?: RandomSource,
): Manager<TestData> {
  const settings = resolveOptions({ origin: 'https://shop.example', log: quiet, now: clock.now, ...options })
  return new Manager<TestData>({ settings, secret, store, random })
}

/** A deployment, with its leases taken. */
export async function deployment(options: ServerOptions = {}, count = 2): Promise<Deployment> {
  const clock = testClock()
  const store = memoryStore({ now: clock.now })
  const servers = Array.from({ length: count }, () => server(store, clock, options))
  await Promise.all(servers.map((one) => one.ready()))
  return { clock, store, servers }
}

export interface Answer<Result> {
  readonly result: Result
  readonly cookies: readonly string[]
}

/** A browser: sends what its jar has, and keeps what answers bring. */
export class Browser {
  readonly jar = new Map<string, string>()

  /** One whole request. */
  async visit<Result>(
    on: Manager<TestData>,
    handler: (session: Session<TestData>) => Result | Promise<Result>,
    method = 'GET',
  ): Promise<Awaited<Result>> {
    const answer = await this.request(on, handler, method)
    this.keep(answer.cookies)
    return answer.result
  }

  /** A request whose answer is not applied to the jar yet. */
  async request<Result>(
    on: Manager<TestData>,
    handler: (session: Session<TestData>) => Result | Promise<Result>,
    method = 'GET',
  ): Promise<Answer<Awaited<Result>>> {
    const visit = beginVisit(on, this.facts(method), {})
    await visit.open()
    const result = await handler(visit.session)
    const { cookies } = await visit.settle()
    visit.finish()
    return { result, cookies }
  }

  facts(method = 'GET', headers: Record<string, string> = {}): Parameters<typeof beginVisit>[1] {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    return {
      method,
      path: '/',
      headers: { host: 'shop.example', ...(cookie === '' ? {} : { cookie }), ...headers },
      secure: true,
    }
  }

  /** Applies the cookies of an answer. */
  keep(cookies: readonly string[]): void {
    for (const cookie of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (/Max-Age=0/.test(cookie)) this.jar.delete(name)
      else this.jar.set(name, value)
    }
  }

  copy(): Browser {
    const other = new Browser()
    for (const [name, value] of this.jar) other.jar.set(name, value)
    return other
  }
}
