/** One server process that takes part in a comparison, with visitors who are really signed in. */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'

import { PROJECT } from '../proof/peers.ts'
import { ORIGIN } from './app/page.ts'
import type { Setup } from './app/setup.ts'
import { ask, forEachOf, type Headers, succeeded } from './ask.ts'
import { pinned, SERVER_CORE } from './cores.ts'

export interface Contender {
  readonly name: string
  readonly setup: Setup
}

export interface Running extends Contender {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** The `Cookie` header of each visitor. */
  readonly cookies: readonly string[]
  /** Microseconds of processor time that the server has used so far. */
  used(): Promise<number>
  stop(): Promise<void>
}

/** What comes with every request, whichever contender it goes to: a page of ours asks, over HTTPS that ended before the server. */
export const COMMON_HEADERS: Headers = {
  host: new URL(ORIGIN).host,
  origin: ORIGIN,
  'sec-fetch-site': 'same-origin',
  'x-forwarded-proto': 'https',
}

/** Bare servers get a cookie of the same length: parsing headers costs all of them the same. */
const IDLE_COOKIE: string = `__Host-sid=${'A'.repeat(76)}`

/** Who the visitors are: `u10000` and so on. */
export function userAt(visitor: number): string {
  return `u${10_000 + visitor}`
}

/** Starts the server and signs the visitors in, each as a user of their own. */
export async function start(contender: Contender, visitors: number): Promise<Running> {
  const { file, rest } = pinned(SERVER_CORE, [
    process.execPath,
    path.join(PROJECT, 'build/bench/server.js'),
    JSON.stringify(contender.setup),
  ])
  const child = spawn(file, rest, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect()
    await gone
  }
  try {
    const { port } = await told<{ port: number }>(child, contender.name)
    const url = `http://127.0.0.1:${port}`
    const bare = contender.setup.sessions === 'bare'
    const cookies = Array.from({ length: visitors }, () => IDLE_COOKIE)
    if (!bare) await forEachOf(cookies, async (_idle, at) => void (cookies[at] = await signIn(url, userAt(at))))
    const used = async (): Promise<number> => {
      child.send('used')
      return (await told<{ used: number }>(child, contender.name)).used
    }
    return { ...contender, url, cookies, used, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function signIn(url: string, user: string): Promise<string> {
  const target = `${url}/sign-in/${user}`
  const { setCookies } = succeeded('POST', target, await ask('POST', target, COMMON_HEADERS))
  const kept = setCookies.filter((line) => !/max-age=0\b|expires=thu, 01 jan 1970/i.test(line))
  for (const line of kept)
    for (const attribute of ['httponly', 'secure', 'samesite=lax'])
      if (!line.toLowerCase().includes(`; ${attribute}`)) throw new Error(`${url}: ${attribute} is missing in ${line}`)
  return kept.map((line) => line.slice(0, line.indexOf(';'))).join('; ')
}

function told<Message>(child: ChildProcess, name: string): Promise<Message> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`${name} ended with ${code}`))
    child.once('exit', ended)
    child.once('error', reject)
    child.once('message', (message: Message) => {
      child.off('exit', ended)
      child.off('error', reject)
      resolve(message)
    })
  })
}
