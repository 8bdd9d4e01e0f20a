/** A shop with everything that another's page may want to misuse. It notes what was done, and in whose name. */
import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import path from 'node:path'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'

import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { createSessions, type CsrfMode, type Session } from 'holdfast'
import { csrf, holdfast } from 'holdfast/express'
import { upgrade } from 'holdfast/node'
import type { Page } from 'playwright-core'

import { ask, cookiesOf } from '../../src/testing/adapter-contract/client.ts'
import { listen } from '../adapters/harness/listen.ts'
import { openSite, type Scheme, SHOP } from './outside.ts'

/** What browsers of various ages do not tell of where their requests come from. */
export const SILENCES = {
  'of today': [],
  'without Fetch Metadata': ['sec-fetch-'],
  'without Fetch Metadata and Origin': ['sec-fetch-', 'origin'],
  'without Fetch Metadata, Origin and Referer': ['sec-fetch-', 'origin', 'referer'],
} as const

export interface Manner {
  readonly scheme: Scheme
  readonly browser: keyof typeof SILENCES
  /** Where it is `none`, the browser knows nothing of SameSite. */
  readonly sameSite: 'lax' | 'none'
  /** What the shop says with every page. */
  readonly referrerPolicy?: string
}

/** Something that was done. */
export interface Done {
  /** As the address or the form names it. */
  readonly act: string
  readonly user: string | undefined
}

export interface Shop extends AsyncDisposable {
  readonly origin: string
  readonly done: readonly Done[]
  /** Signs somebody in who uses another browser. Answers a token of that session. */
  tokenOf(user: string): Promise<string>
  /** Resolves once a request of each of these acts was answered. */
  answered(acts: readonly string[]): Promise<void>
}

export async function openShop(manner: Manner, mode: CsrfMode): Promise<Shop> {
  const done: Done[] = []
  const answered = new Set<string>()
  const answers = new EventEmitter().setMaxListeners(0)
  const app = express()
  const { server, origin, close } = await openSite(manner.scheme, SHOP, (request, response) => {
    silence(request, manner)
    response.on('close', () => note(request))
    app(request, response)
  })
  const note = (request: IncomingMessage): void => {
    answered.add(actOf(request))
    answers.emit('answer')
  }
  const sessions = createSessions({
    store: 'memory:',
    secret: 'a secret for the shop that is attacked',
    origin,
    insecure: manner.scheme === 'http',
    csrf: mode,
    cookie: { sameSite: manner.sameSite },
    log: { warn: () => undefined, error: () => undefined },
  })
  const carryOut: RequestHandler = (request, response, next) => {
    if (/^(?:GET|HEAD|OPTIONS)$/.test(request.method)) return next()
    done.push({ act: actOf(request), user: sessions.of(request).userId })
    response.send(`done as ${sessions.of(request).userId ?? 'nobody'}`)
  }

  app.use((_request, response, next) => {
    if (manner.referrerPolicy !== undefined) response.setHeader('referrer-policy', manner.referrerPolicy)
    next()
  })
  app.get('/holdfast.js', (_request, response) => {
    response.sendFile(path.join(import.meta.dirname, '../../dist/browser/index.js'))
  })
  app.use(express.urlencoded(), express.json(), express.text())
  app.use(holdfast(sessions, { checkLater: ['POST /upload'] }))
  app.use(override)
  app.get('/', (request, response) => void response.send(homePage(sessions.of(request))))
  app.get('/elsewhere', (_request, response) => void response.send('<title>elsewhere</title>'))
  app.post('/login', async (request, response) => {
    await sessions.of(request).signIn(String((request.body as { user?: string }).user))
    done.push({ act: actOf(request), user: sessions.of(request).userId })
    response.redirect('/')
  })
  app.post('/upload', parseMultipart, csrf(), carryOut)
  app.use(['/transfer', '/api'], carryOut, (_request, response) => void response.send('nothing is done by looking'))
  app.use(answerError)
  server.on('upgrade', (request, socket: Duplex) => {
    silence(request, manner)
    void upgrade(sessions, request, socket).then((session) => {
      if (session !== undefined) {
        done.push({ act: actOf(request), user: session.userId })
        accept(request, socket)
      }
      note(request)
    })
  })
  await sessions.ready()
  const backDoor = await listen(createServer(app))
  return {
    origin,
    done,
    tokenOf: (user) => tokenOf(backDoor.port, user),
    answered: async (acts) => {
      while (!acts.every((act) => answered.has(act))) {
        await once(answers, 'answer', { signal: AbortSignal.timeout(15_000) }).catch((error: unknown) => {
          const missing = acts.filter((act) => !answered.has(act))
          throw new Error(`The shop was never asked for ${missing.join(', ')}.`, { cause: error })
        })
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([close(), backDoor.close()])
      await sessions.close()
    },
  }
}

async function tokenOf(port: number, user: string): Promise<string> {
  const tokenIn = (page: string): string => /name="csrf-token" content="([^"]+)"/.exec(page)?.[1] ?? ''
  const page = await ask(port)
  const entered = await ask(port, {
    method: 'POST',
    path: '/login',
    headers: {
      'sec-fetch-site': 'same-origin',
      'content-type': 'application/x-www-form-urlencoded',
      'x-csrf-token': tokenIn(page.body),
      cookie: cookiesOf(page),
    },
    body: new URLSearchParams({ user }).toString(),
  })
  return tokenIn((await ask(port, { headers: { cookie: cookiesOf(entered) } })).body)
}

/** Signs in by the shop's own form. */
export async function signIn(page: Page, { origin }: Pick<Shop, 'origin'>, user: string): Promise<void> {
  await page.goto(origin)
  await page.locator('#login [name=user]').fill(user)
  await Promise.all([page.waitForEvent('load'), page.locator('#login button').click()])
  await page.locator('#who').getByText(user, { exact: true }).waitFor()
}

/** As a proxy would that old browsers are simulated with. */
function silence({ headers }: IncomingMessage, { browser }: Manner): void {
  for (const silent of SILENCES[browser])
    for (const name of Object.keys(headers)) if (name.startsWith(silent)) delete headers[name]
}

function actOf({ url = '/' }: IncomingMessage): string {
  return new URL(url, 'http://shop').searchParams.get('act') ?? ''
}

/** Has the address, a header or the form say which method is meant; mounted below the check. */
const override: RequestHandler = (request, _response, next) => {
  const body = request.body as { readonly _method?: string } | undefined
  const meant = request.get('x-http-method-override') ?? body?._method ?? request.query['_method']
  if (typeof meant === 'string') request.method = meant
  next()
}

/** The text fields of a form with files. */
const parseMultipart: RequestHandler = async (request, _response, next) => {
  const fields = (await text(request)).matchAll(/name="([^"]+)"\r\n\r\n([^\r]*)\r\n/g)
  request.body = Object.fromEntries([...fields].map(([, name, value]) => [name, value])) as Record<string, string>
  next()
}

const answerError: ErrorRequestHandler = (error: Error & { status?: number }, _request, response, _next) => {
  response.status(error.status ?? 500).send(error.message)
}

/** The server's half of a WebSocket (RFC 6455), which it closes at once: 1000, a normal end. */
function accept({ headers }: IncomingMessage, socket: Duplex): void {
  const key = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const answer = createHash('sha1').update(key).digest('base64')
  socket.on('error', () => socket.destroy()).resume()
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`,
  )
  socket.end(Buffer.of(0x88, 2, 0x03, 0xe8))
}

/** Everything that the shop's own page can do; its scripts have `guarded`, the fetch of `holdfast/browser`. */
function homePage({ csrf: tokens, userId }: Session): string {
  const form = (act: string, to: string, inside: string): string =>
    `<form id="${act}" method="post" action="${to}?act=${act}">${inside}<button>Send</button></form>`
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>shop</title>
<meta name="csrf-token" content="${tokens.token()}">
<p id="who">${userId ?? 'nobody'}</p>
${form('login', '/login', `${tokens.field()}<input name="user">`)}
${form('transfer', '/transfer', tokens.field())}
${form('bound', '/transfer', tokens.field('/transfer'))}
${form('upload', '/upload', `${tokens.field()}<input type="file" name="file">`).replace('method', 'enctype="multipart/form-data" method')}
${form('override', '/transfer', `${tokens.field()}<input type="hidden" name="_method" value="DELETE">`)}
${form('framed', '/transfer', tokens.field())}
${form('bare', '/transfer', '')}
<script type="module">
  import { csrf } from '/holdfast.js'
  globalThis.helper = csrf()
  addEventListener('pageshow', ({ persisted }) => (globalThis.persisted = persisted))
</script></html>`
}
