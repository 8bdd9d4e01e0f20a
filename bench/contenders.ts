/** Who takes part: bare frameworks, Holdfast on them, and what their users have for sessions now. */
import type { Setup } from './app/setup.ts'
import type { Keeping } from './stores.ts'

export interface Contender {
  readonly id: string
  readonly name: string
  /** The id of the bare framework that it is measured by; its own where it is bare. */
  readonly base: string
  readonly setup: Omit<Setup, 'store'>
  readonly keeping: Keeping
  /** Whether it makes and verifies CSRF tokens. */
  readonly tokens: boolean
  /** It sets a cookie for everybody who comes, also where nothing is stored. */
  readonly guestCookie?: true
  /** Takes part only where it is named. */
  readonly extra?: true
  /** What it does and does not do. */
  readonly note?: string
}

const BARE: readonly Contender[] = [
  ['fastify', 'Fastify'],
  ['express', 'Express 5'],
  ['koa', 'Koa'],
  ['hono', 'Hono on Node'],
].map(([framework = '', name = '']) => ({
  id: framework,
  name,
  base: framework,
  setup: { framework: framework as Setup['framework'], sessions: 'bare' },
  keeping: 'nothing',
  tokens: true,
}))

const HOLDFAST_NOTES = {
  memory: 'Sessions are in the process: for one process only. Everything else as with Redis.',
  lmdb: 'An embedded store that the processes of one machine share; a sign-in or a change is on the disk before the answer.',
  redis:
    "With the near cache, which is the default. A change is saved by compare-and-set before the answer; a sign-in enters the session in the user's index too; posts are judged by where they come from.",
  far: 'Every request reads Redis.',
}

const HOLDFAST: readonly Contender[] = [['fastify', 'Fastify'] as const, ['express', 'Express 5'] as const].flatMap(
  ([framework, name]) => {
    const common = { base: framework, tokens: true }
    const setup = { framework, sessions: 'holdfast' } as const
    const id = `${framework}-holdfast`
    const { memory, lmdb, redis, far } = HOLDFAST_NOTES
    return [
      { ...common, id: `${id}-memory`, name: `${name} + Holdfast, memory`, setup, keeping: 'memory', note: memory },
      { ...common, id: `${id}-lmdb`, name: `${name} + Holdfast, LMDB`, setup, keeping: 'lmdb', note: lmdb },
      { ...common, id: `${id}-redis`, name: `${name} + Holdfast, Redis`, setup, keeping: 'redis', note: redis },
      {
        ...common,
        id: `${id}-redis-far`,
        name: `${name} + Holdfast, Redis, no near cache`,
        setup: { ...setup, nearCache: false },
        keeping: 'redis',
        note: far,
      },
    ] satisfies Contender[]
  },
)

/** The application of express-session, with one line changed, and with its store as it was or our own. */
const DROP_IN: readonly Contender[] = [
  {
    id: 'express-drop-in',
    name: 'Express 5 + drop-in, holdfastStore, Redis',
    base: 'express',
    setup: { framework: 'express', sessions: 'drop-in', ownStore: true },
    keeping: 'redis',
    tokens: true,
    extra: true,
    note: 'express-session’s place taken by one changed line, its sessions in our own store: a change is saved by compare-and-set, and what was ended stays so. Every request reads Redis. Tokens by csrf-sync.',
  },
  {
    id: 'express-drop-in-plain',
    name: 'Express 5 + drop-in, connect-redis',
    base: 'express',
    setup: { framework: 'express', sessions: 'drop-in' },
    keeping: 'redis',
    tokens: true,
    extra: true,
    note: 'One line changed, and nothing else.',
  },
  {
    id: 'express-drop-in-process',
    name: 'Express 5 + drop-in, MemoryStore',
    base: 'express',
    setup: { framework: 'express', sessions: 'drop-in' },
    keeping: 'process',
    tokens: true,
    extra: true,
    note: 'The same with its store for development.',
  },
]

const PEERS: readonly Contender[] = [
  {
    id: 'fastify-session',
    name: 'Fastify + @fastify/session, connect-redis',
    base: 'fastify',
    setup: { framework: 'fastify', sessions: '@fastify/session' },
    keeping: 'redis',
    tokens: true,
    note: 'Saves the session and sends its cookie with every response, which is how it keeps a visitor alive; the last of two changes at once overwrites. Tokens by @fastify/csrf-protection, whose secret is in the session. No index of users.',
  },
  {
    id: 'fastify-session-still',
    name: 'Fastify + @fastify/session, rolling: false',
    base: 'fastify',
    setup: { framework: 'fastify', sessions: '@fastify/session', rolling: false },
    keeping: 'redis',
    tokens: true,
    extra: true,
    note: 'Saves only what changed, and ends a session a day after its last change, visited or not.',
  },
  {
    id: 'express-session',
    name: 'Express 5 + express-session, connect-redis',
    base: 'express',
    setup: { framework: 'express', sessions: 'express-session' },
    keeping: 'redis',
    tokens: true,
    note: 'resave: false, saveUninitialized: false, as connect-redis asks for: keeps a visitor alive by an EXPIRE with every request; the last of two changes at once overwrites. Tokens by csrf-sync: one random value of the session. No index of users.',
  },
  {
    id: 'express-session-process',
    name: 'Express 5 + express-session, MemoryStore',
    base: 'express',
    setup: { framework: 'express', sessions: 'express-session' },
    keeping: 'process',
    tokens: true,
    extra: true,
    note: 'Its store for development: in the process, and nothing in it is ever freed but by a request.',
  },
  ...DROP_IN,
  {
    id: 'iron-session',
    name: 'Express 5 + iron-session',
    base: 'express',
    setup: { framework: 'express', sessions: 'iron-session' },
    keeping: 'cookie',
    tokens: false,
    note: 'The whole session is in the cookie, encrypted: no store, so no session can be ended or listed by the server, and an old cookie stays good for 14 days. Has no CSRF tokens.',
  },
  {
    id: 'koa-session',
    name: 'Koa + koa-session',
    base: 'koa',
    setup: { framework: 'koa', sessions: 'koa-session' },
    keeping: 'cookie',
    tokens: true,
    note: 'The whole session is in the cookie, signed and readable: no store, so no session can be ended or listed by the server. Tokens by koa-csrf, whose secret is in that cookie.',
  },
  {
    id: 'hono-sessions',
    name: 'Hono on Node + hono-sessions',
    base: 'hono',
    setup: { framework: 'hono', sessions: 'hono-sessions' },
    keeping: 'cookie',
    tokens: false,
    guestCookie: true,
    note: 'The whole session is in the cookie, encrypted anew with every response, also for visitors of whom nothing is stored. Has no CSRF tokens.',
  },
]

/** All of them; the bare frameworks first. */
export const CONTENDERS: readonly Contender[] = [...BARE, ...HOLDFAST, ...PEERS]

/** What a quick run measures. */
export const QUICK_CONTENDERS: readonly string[] = [
  'fastify',
  'fastify-holdfast-lmdb',
  'fastify-holdfast-redis',
  'fastify-session',
  'express',
  'express-holdfast-redis',
  'express-session',
]

/** Whether its sessions reach several processes. */
export function servesFromSeveral({ keeping }: Contender): boolean {
  return keeping !== 'memory' && keeping !== 'process'
}

/** The contenders of these ids, where `*` stands for anything, with the bare frameworks that they are measured by. Throws on one that fits none. */
export function chosenContenders(patterns: readonly string[] | undefined): readonly Contender[] {
  if (patterns === undefined) return CONTENDERS.filter(({ extra }) => extra !== true)
  const wanted = new Set<string>()
  for (const pattern of patterns) {
    const matcher = new RegExp(`^${pattern.replaceAll(/[^\w*-]/g, '').replaceAll('*', '.*')}$`)
    const found = CONTENDERS.filter(({ id }) => matcher.test(id))
    if (found.length === 0) throw new Error(`no contender is called ${pattern}`)
    for (const { id, base } of found) wanted.add(base).add(id)
  }
  return CONTENDERS.filter(({ id }) => wanted.has(id))
}
