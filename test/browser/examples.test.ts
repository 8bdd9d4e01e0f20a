/** The small examples run as they stand: two servers each, one store, a form from one to the other. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { CookieJar } from 'tough-cookie'
import { afterEach, describe, expect, it } from 'vitest'

import { until } from './demonstration.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-examples-'))
const running: ChildProcess[] = []

afterEach(async () => {
  await Promise.all(
    running.splice(0).map(async (server) => {
      if (server.exitCode !== null) return
      server.kill()
      await once(server, 'close')
    }),
  )
  rmSync(folder, { recursive: true, force: true })
})

/** Answers the address that it printed. */
async function start(example: string): Promise<string> {
  const program = fileURLToPath(new URL(`../../build/examples/${example}.js`, import.meta.url))
  const env = { ...process.env, PORT: '0', SESSION_STORE: `lmdb:${folder}/${example}`, SESSION_SECRET: 'x'.repeat(32) }
  const server = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(server)
  let printed = ''
  server.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  await until(() => /:\d+\n/.test(printed))
  // One name for both servers, so that the browser's cookies go to both.
  return printed.trim().replace(/127\.0\.0\.1|\[::1\]/, 'localhost')
}

describe.each(['express', 'fastify'])('the example for %s', (example) => {
  it('keeps the cart of a visitor whose form was made on one server and sent to another', async () => {
    const [first, second] = [await start(example), await start(example)]
    const jar = new CookieJar()
    const open = async (address: string, init: RequestInit = {}): Promise<Response> => {
      const headers = { cookie: await jar.getCookieString('http://localhost'), ...init.headers }
      const answer = await fetch(address, { ...init, headers, redirect: 'manual' })
      for (const cookie of answer.headers.getSetCookie()) await jar.setCookie(cookie, 'http://localhost')
      return answer
    }
    const page = await (await open(`${first}/`)).text()
    const [, token = ''] = /name="_csrf" value="([^"]+)"/.exec(page) ?? []
    const body = new URLSearchParams({ _csrf: token, item: 'tea' })
    const sent = await open(`${second}/cart`, { method: 'POST', body })
    expect({ status: sent.status, to: sent.headers.get('location') }).toEqual({ status: 302, to: '/' })
    expect(await (await open(`${first}/`)).text()).toMatch(/<p>[^<]*\b1\b/)
  })
})
