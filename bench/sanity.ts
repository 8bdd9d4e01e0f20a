/** Whether a contender does what it is measured for. Each check throws where it does not. */
import type { Page } from './app/page.ts'
import { ask, askFor, forEachOf, type Headers } from './ask.ts'
import { COMMON_HEADERS, type Running, start, userAt } from './contender.ts'

interface Count {
  readonly count: number
}

/** The page shows each visitor as the user that they signed in as, and nobody without a cookie. */
export async function checkSignedIn({ name, url, cookies, setup }: Running): Promise<void> {
  if (setup.sessions === 'bare') return
  await forEachOf(sample(cookies.length), async (visitor) => {
    const { user, name: shown } = await askFor<Page>('GET', `${url}/`, headersOf(cookies[visitor]))
    if (user !== userAt(visitor) || shown === null)
      throw new Error(`${name}: the page shows ${user} (${shown}) and not ${userAt(visitor)}`)
  })
  const anonymous = await ask('GET', `${url}/`, COMMON_HEADERS)
  if (anonymous.status !== 401 || !anonymous.body.includes('"user":null'))
    throw new Error(`${name}: without a cookie the page is ${anonymous.status}: ${anonymous.body}`)
}

/** Two changes are both there in the next request. */
export async function checkStored({ name, url, cookies, setup }: Running): Promise<void> {
  if (setup.sessions === 'bare') return
  await forEachOf(sample(cookies.length), async (visitor) => {
    const headers = headersOf(cookies[visitor])
    const { count: before } = await askFor<Count>('GET', `${url}/count`, headers)
    for (let change = 0; change < 2; change++) await askFor<Count>('POST', `${url}/count`, headers)
    const { count: after } = await askFor<Count>('GET', `${url}/count`, headers)
    if (after !== before + 2) throw new Error(`${name}: two changes made ${before} into ${after}`)
  })
}

/** What one server stored, another server of the same kind reads: it is in the store, and not in a process. */
export async function checkShared(running: Running): Promise<void> {
  const { name, url, cookies, setup } = running
  if (setup.sessions === 'bare' || setup.store === undefined) return
  await checkStored(running)
  const other = await start({ name, setup }, 0)
  try {
    for (const visitor of sample(cookies.length)) {
      const headers = headersOf(cookies[visitor])
      const { count } = await askFor<Count>('GET', `${url}/count`, headers)
      const { count: there } = await askFor<Count>('GET', `${other.url}/count`, headers)
      if (count === 0 || there !== count) throw new Error(`${name}: ${count} here is ${there} on another server`)
    }
  } finally {
    await other.stop()
  }
}

/** What all visitors have counted together. */
export async function countedBy({ url, cookies }: Running): Promise<number> {
  let sum = 0
  await forEachOf(cookies, async (cookie) => {
    const { count } = await askFor<Count>('GET', `${url}/count`, headersOf(cookie))
    sum += count
  })
  return sum
}

export function headersOf(cookie: string | undefined): Headers {
  return { ...COMMON_HEADERS, cookie: cookie ?? '' }
}

/** Some visitors: the first, the last, and some between. */
function sample(visitors: number): number[] {
  const last = Math.max(0, visitors - 1)
  return [...new Set([0, 0.25, 0.5, 0.75, 1].map((share) => Math.floor(last * share)))]
}
