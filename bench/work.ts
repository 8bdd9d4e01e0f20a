/** The kinds of work: what is sent, what is checked before, and what has to be there afterwards. */
import { forEachOf } from './ask.ts'
import type { Contender } from './contenders.ts'
import type { Running } from './contender.ts'
import type { Request } from './request.ts'
import {
  checkAnonymous,
  checkShared,
  checkSignedIn,
  checkSignIn,
  checkStored,
  checkTokens,
  countedBy,
  tokenFor,
} from './sanity.ts'
import { COMMON_HEADERS } from './visitor.ts'

export const WORKS = ['read', 'write', 'anonymous', 'sign-in', 'form'] as const
export type Work = (typeof WORKS)[number]

/** What the load has to send, and how to find out that all of it was done. */
export interface Task {
  readonly requests: readonly Request[]
  /** Throws where less was done than answered. */
  verify(answered: number): Promise<void>
}

interface Kind {
  readonly title: string
  readonly note: string
  /** Once, before the first turn. */
  prepare(running: Running): Promise<void>
  /** Before every turn, with a number of its own. */
  begin(running: Running, turn: number): Promise<Task>
}

const nothing = async (): Promise<void> => {}

/** Sign-ins of one turn are all of different users, up to this many. */
const SIGN_INS = 20_000

export const KINDS: Readonly<Record<Work, Kind>> = {
  read: {
    title: 'a page that reads the session of a signed-in visitor',
    note: 'GET of a small page with three values of the session. The bare server has them without asking anybody.',
    prepare: nothing,
    begin: async (running) => {
      await checkSignedIn(running)
      return { requests: fromEach(running, 'GET', '/'), verify: nothing }
    },
  },
  write: {
    title: 'a post that changes the session of a signed-in visitor, once',
    note: 'Every change that was answered was there afterwards; those that are kept in the cookie only in a browser that keeps its answers, which the load does not. The bare server stores nothing.',
    prepare: checkShared,
    begin: async (running) => {
      await checkSignedIn(running)
      await checkStored(running)
      const requests = fromEach(running, 'POST', '/count')
      if (running.keeping === 'nothing' || running.keeping === 'cookie') return { requests, verify: nothing }
      const before = await countedBy(running)
      return { requests, verify: (answered) => verifyCounted(running, before, answered) }
    },
  },
  anonymous: {
    title: 'a page for a visitor of whom nothing is stored',
    note: 'GET without a cookie, by a handler that looks whether somebody is signed in. Nothing may be stored for it, and no cookie set.',
    prepare: nothing,
    begin: async (running) => {
      await checkAnonymous(running)
      const before = await running.store.keys()
      const requests: Request[] = [{ method: 'GET', path: '/public', headers: COMMON_HEADERS }]
      return { requests, verify: () => verifyNoKeys(running, before) }
    },
  },
  'sign-in': {
    title: 'a sign-in of a visitor without a session',
    note: 'POST without a cookie, each of another user; no password is hashed. The new session is stored before the answer.',
    prepare: checkShared,
    begin: async (running, turn) => {
      await checkSignIn(running)
      const before = await running.store.keys()
      const requests = Array.from({ length: SIGN_INS }, (_, at): Request => {
        return { method: 'POST', path: `/sign-in/t${turn}-${at}`, headers: COMMON_HEADERS }
      })
      return { requests, verify: (answered) => verifySignedIn(running, before, answered) }
    },
  },
  form: {
    title: 'a form with a CSRF token: half of the requests make one, half have one verified',
    note: 'By turns a GET that makes a token and a POST with one in the header x-csrf-token. A forged token and a missing one were refused. The bare server makes none and refuses nothing.',
    prepare: nothing,
    begin: async (running) => {
      await checkTokens(running)
      const tokens = new Map<object, string>()
      await forEachOf(running.visitors, async (visitor) => void tokens.set(visitor, await tokenFor(visitor)))
      const requests = running.visitors.flatMap((visitor): Request[] => {
        const headers = { ...COMMON_HEADERS, cookie: visitor.cookie }
        return [
          { method: 'GET', path: '/form', headers },
          { method: 'POST', path: '/form', headers: { ...headers, 'x-csrf-token': tokens.get(visitor) ?? '' } },
        ]
      })
      return { requests, verify: nothing }
    },
  },
}

/** Whether a contender can do it at all. */
export function does(contender: Contender, work: Work): boolean {
  return work !== 'form' || contender.tokens
}

function fromEach({ visitors }: Running, method: Request['method'], path: string): Request[] {
  return visitors.map(({ cookie }) => ({ method, path, headers: { ...COMMON_HEADERS, cookie } }))
}

async function verifyCounted(running: Running, before: number, answered: number): Promise<void> {
  const added = (await countedBy(running)) - before
  if (added < answered) throw new Error(`${running.name}: ${added} of ${answered} changes were stored`)
}

async function verifyNoKeys({ name, store }: Running, before: number | undefined): Promise<void> {
  const after = await store.keys()
  // Less is possible: keys expire.
  if (before !== undefined && after !== undefined && after > before)
    throw new Error(`${name}: visitors without a session made ${before} keys into ${after}`)
}

async function verifySignedIn(running: Running, before: number | undefined, answered: number): Promise<void> {
  const after = await running.store.keys()
  if (before === undefined || after === undefined) return
  // Holdfast has an index for each user, too.
  const indexes = running.setup.sessions === 'holdfast' ? Math.min(answered, SIGN_INS) : 0
  const added = after - before
  if (added < answered + indexes)
    throw new Error(`${running.name}: ${answered} sign-ins left ${added} keys and not ${answered + indexes}`)
}
