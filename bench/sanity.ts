/** Whether a contender does what it is measured for. Each check throws where it does not. */
import type { Page } from './app/page.ts'
import { ask, forEachOf } from './ask.ts'
import { type Running, start } from './contender.ts'
import { COMMON_HEADERS, Visitor } from './visitor.ts'

interface Count {
  readonly count: number
}

/** The page shows each visitor as the user that they signed in as, and nobody without a cookie. */
export async function checkSignedIn({ name, url, visitors, setup }: Running): Promise<void> {
  if (setup.sessions === 'bare') return
  await forEachOf(sample(visitors), (visitor) => checkShown(name, visitor))
  const stranger = await ask('GET', `${url}/`, COMMON_HEADERS)
  if (stranger.status !== 401 || !stranger.body.includes('"user":null'))
    throw new Error(`${name}: without a cookie the page is ${stranger.status}: ${stranger.body}`)
}

async function checkShown(name: string, visitor: Visitor): Promise<void> {
  const { user, name: shown } = await visitor.askFor<Page>('GET', '/')
  if (user !== visitor.user || shown === null)
    throw new Error(`${name}: the page shows ${user} (${shown}) and not ${visitor.user}`)
}

/** Two changes are both there in the next request. */
export async function checkStored({ name, visitors, setup }: Running): Promise<void> {
  if (setup.sessions === 'bare') return
  await forEachOf(sample(visitors), async (visitor) => {
    const { count: before } = await visitor.askFor<Count>('GET', '/count')
    for (let change = 0; change < 2; change++) await visitor.askFor<Count>('POST', '/count')
    const { count: after } = await visitor.askFor<Count>('GET', '/count')
    if (after !== before + 2) throw new Error(`${name}: two changes made ${before} into ${after}`)
  })
}

const shared = new WeakSet<Running>()

/** What one server stored, another server of the same kind reads: it is in the store or the cookie, and not in a process. Looks once. */
export async function checkShared(running: Running): Promise<void> {
  const { name, visitors, setup, keeping, store } = running
  if (setup.sessions === 'bare' || keeping === 'memory' || keeping === 'process' || shared.has(running)) return
  await checkStored(running)
  const other = await start(running, { visitors: 0, store })
  try {
    for (const visitor of sample(visitors)) {
      const { count } = await visitor.askFor<Count>('GET', '/count')
      const { count: there } = await visitor.at(other.url).askFor<Count>('GET', '/count')
      if (count === 0 || there !== count) throw new Error(`${name}: ${count} here is ${there} on another server`)
    }
  } finally {
    await other.stop()
  }
  shared.add(running)
}

/** Whoever comes without a session is served, and gets none: no cookie, unless the contender is known for it, and no key. */
export async function checkAnonymous({ name, url, setup, guestCookie, store }: Running): Promise<void> {
  const before = await store.keys()
  const { status, body, setCookies } = await ask('GET', `${url}/public`, COMMON_HEADERS)
  if (status !== 200 || !body.includes('"user":null'))
    throw new Error(`${name}: the page for whoever comes is ${status}: ${body}`)
  if (setup.sessions !== 'bare' && setCookies.length > 0 !== (guestCookie === true))
    throw new Error(`${name}: a visitor without a session gets ${setCookies.length} cookies`)
  const after = await store.keys()
  if (after !== before) throw new Error(`${name}: a visitor without a session made ${before} keys into ${after}`)
}

/** Somebody who signs in is signed in. */
export async function checkSignIn({ name, url, setup }: Running): Promise<void> {
  if (setup.sessions === 'bare') return
  const visitor = new Visitor(url, `n${Math.floor(Math.random() * 1e9)}`)
  await visitor.signIn()
  await checkShown(name, visitor)
}

/** A good token passes; a forged one, and none where nothing else speaks for the request, are refused. */
export async function checkTokens({ name, visitors, setup }: Running): Promise<void> {
  if (setup.sessions === 'bare') return
  const { origin: _origin, 'sec-fetch-site': _site, ...silent } = COMMON_HEADERS
  await forEachOf(sample(visitors), async (visitor) => {
    const token = await tokenFor(visitor)
    const expectations = [
      { what: 'a good token', status: 200, headers: { ...COMMON_HEADERS, 'x-csrf-token': token } },
      { what: 'a forged token', status: 403, headers: { ...COMMON_HEADERS, 'x-csrf-token': forged(token) } },
      { what: 'no token', status: 403, headers: silent },
    ]
    for (const { what, status, headers } of expectations) {
      const answer = await visitor.ask('POST', '/form', headers)
      if (answer.status !== status)
        throw new Error(`${name}: a form with ${what} is answered ${answer.status}: ${answer.body.slice(0, 200)}`)
    }
  })
}

/** A token of the visitor's own. */
export async function tokenFor(visitor: Visitor): Promise<string> {
  return (await visitor.askFor<{ token: string }>('GET', '/form')).token
}

/** Another letter in the middle. */
function forged(token: string): string {
  const middle = Math.floor(token.length / 2)
  return `${token.slice(0, middle)}${token[middle] === 'a' ? 'b' : 'a'}${token.slice(middle + 1)}`
}

/** What all visitors have counted together. */
export async function countedBy({ visitors }: Running): Promise<number> {
  let sum = 0
  await forEachOf(visitors, async (visitor) => {
    const { count } = await visitor.askFor<Count>('GET', '/count')
    sum += count
  })
  return sum
}

/** Some visitors: the first, the last, and some between. */
function sample(visitors: readonly Visitor[]): readonly Visitor[] {
  const last = Math.max(0, visitors.length - 1)
  const places = new Set([0, 0.25, 0.5, 0.75, 1].map((share) => Math.floor(last * share)))
  return visitors.filter((_, at) => places.has(at))
}
