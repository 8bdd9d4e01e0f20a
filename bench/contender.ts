/** One server process that takes part in a comparison, with a visitor who is really signed in. */
import { type ChildProcess, spawn } from 'node:child_process'
import { request } from 'node:http'
import path from 'node:path'

import { PROJECT } from '../proof/peers.ts'
import { ORIGIN, USER } from './app/page.ts'
import type { Setup } from './app/setup.ts'
import { pinned, SERVER_CORE } from './cores.ts'

export interface Contender {
  readonly name: string
  readonly setup: Setup
}

export interface Running extends Contender {
  readonly url: string
  /** What the load sends with each request. */
  readonly headers: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** Bare servers get a cookie of the same length: parsing headers costs all of them the same. */
const IDLE_COOKIE: string = `__Host-sid=${'A'.repeat(76)}`

/** Starts the server, signs in, and makes sure that the page shows the signed-in user with the cookie and nobody without. */
export async function start(contender: Contender): Promise<Running> {
  const { file, rest } = pinned(SERVER_CORE, [
    process.execPath,
    path.join(PROJECT, 'build/bench/server.js'),
    JSON.stringify(contender.setup),
  ])
  const child = spawn(file, rest, {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect()
    await gone
  }
  try {
    const url = `http://127.0.0.1:${await portOf(child, contender.name)}/`
    const host = { host: new URL(ORIGIN).host }
    const cookie = contender.setup.sessions === 'bare' ? IDLE_COOKIE : await signIn(url)
    const running = { ...contender, url, headers: { ...host, cookie }, stop }
    await verify(running)
    return running
  } catch (error) {
    await stop()
    throw error
  }
}

async function signIn(url: string): Promise<string> {
  const { headers } = await fetchOnce(`${url}sign-in`, 'POST', { origin: ORIGIN, 'sec-fetch-site': 'same-origin' })
  const cookies = (headers['set-cookie'] ?? []).filter((line) => !/max-age=0\b|expires=thu, 01 jan 1970/i.test(line))
  return cookies.map((line) => line.slice(0, line.indexOf(';'))).join('; ')
}

async function verify({ name, url, headers, setup }: Running): Promise<void> {
  const { body } = await fetchOnce(url, 'GET', headers)
  if (!body.includes(`"user":"${USER}"`)) throw new Error(`${name}: the page does not show the signed-in user: ${body}`)
  if (setup.sessions === 'bare') return
  const { body: anonymous } = await fetchOnce(url, 'GET', {})
  if (!anonymous.includes('"user":null'))
    throw new Error(`${name}: the page shows a user without a cookie: ${anonymous}`)
}

interface Fetched {
  readonly headers: { readonly 'set-cookie'?: string[] | undefined }
  readonly body: string
}

function fetchOnce(url: string, method: string, headers: Readonly<Record<string, string>>): Promise<Fetched> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method, agent: false, headers: { host: new URL(ORIGIN).host, ...headers } },
      (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => (body += text))
        response.once('error', reject)
        response.once('end', () => {
          if (response.statusCode === 200) resolve({ headers: response.headers, body })
          else reject(new Error(`${method} ${url} answered ${response.statusCode}: ${body.slice(0, 200)}`))
        })
      },
    )
    sent.once('error', reject)
    sent.end()
  })
}

function portOf(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', (message: { port: number }) => resolve(message.port))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code} before it listened`)))
  })
}
