/**
 * A real redis-server for tests and proofs: on a free port of the loopback interface, in a directory of its
 * own, gone when the test or its process is.
 *
 * ```ts
 * const redis = await startRedisServer({ args: ['--maxmemory', '8mb'] })
 * const store = redisStore(redis.url)
 * redis.pause(); redis.resume()            // SIGSTOP, SIGCONT: it hangs, and goes on
 * await redis.kill(); await redis.start()  // kill -9, and again on the same port and directory
 * await redis.cli('dbsize')                // what redis-cli prints
 * await redis.stop()                       // for good; removes the directory
 * ```
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface RedisServerOptions {
  /** More arguments for the server, such as `['--appendonly', 'yes']`. Without any it keeps nothing on disk. */
  readonly args?: readonly string[]
  /** A whole configuration file instead, for this port and this directory. */
  readonly config?: (at: { readonly port: number; readonly directory: string }) => string
  /** The port; a free one by default. */
  readonly port?: number
  /** The program; `redis-server` by default. A Valkey serves as well. */
  readonly binary?: string
  /** As whom `cli` signs in. By default it does not. */
  readonly as?: Credentials
  /** With what `cli` speaks TLS. By default it does not. */
  readonly tls?: TlsFiles
  /** What begins each command that is to run where the server does, such as `['ip', 'netns', 'exec', 'there']`. */
  readonly inside?: readonly string[]
}

/** Files in PEM: who signed the server's certificate, and what a client shows. */
export interface TlsFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export interface Credentials {
  /** Default: the user `default`, whose password is `requirepass`. */
  readonly user?: string
  readonly password: string
}

export interface RedisServer extends AsyncDisposable {
  readonly port: number
  /** `redis://127.0.0.1:port` */
  readonly url: string
  /** Where it runs; removed by `stop()`. */
  readonly directory: string
  /** The process id; `undefined` while it is not running. */
  readonly pid: number | undefined
  /** Starts it again after `kill()`, on the same port and directory, with other arguments if given. Settles when it serves. */
  start(args?: readonly string[]): Promise<void>
  /** kill -9. Settles when the process is gone. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open, nothing is answered. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Runs `redis-cli` against it and answers what it prints, be it an error of Redis. */
  cli(...args: string[]): Promise<string>
  /** Ends it for good and removes its directory. Safe to call again. */
  stop(): Promise<void>
}

const START_TIMEOUT = 10_000
/** Below those that the system takes for outgoing connections: a server that was killed finds its port free again. */
const PORTS = { first: 10_000, count: 10_000 }
const run = promisify(execFile)

/** Starts a server and settles when it serves. */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = new LocalRedisServer(options, options.port ?? (await freePort()))
  try {
    await server.start()
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

/** Processes that run at the same time look in different places, so that none is given what another is about to take. */
let nextPort = (process.pid * 997) % PORTS.count

/** A TCP port of the loopback interface on which nothing listens at this moment: from 10000 to 19999. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + nextPort
    nextPort = (nextPort + 1) % PORTS.count
    if (await portIsFree(port)) return port
  }
}

/** Whether nothing listens on it at this moment. */
export async function portIsFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
  } catch {
    return false
  }
  probe.close()
  await once(probe, 'close')
  return true
}

/** Those that have not been stopped. One listener for all: Node takes a dozen for a leak. */
const unstopped = new Set<LocalRedisServer>()
process.once('exit', () => {
  for (const server of unstopped) server.endAtOnce()
})

class LocalRedisServer implements RedisServer {
  readonly port: number
  readonly url: string
  readonly directory: string = mkdtempSync(join(tmpdir(), 'holdfast-redis-'))
  readonly #binary: string
  readonly #inside: readonly string[]
  readonly #config: RedisServerOptions['config']
  readonly #manner: readonly string[]
  #args: readonly string[]
  #child: ChildProcess | undefined

  constructor(options: RedisServerOptions, port: number) {
    this.port = port
    this.url = `redis://127.0.0.1:${port}`
    this.#inside = options.inside ?? []
    this.#binary = options.binary ?? 'redis-server'
    this.#config = options.config
    this.#args = options.args ?? []
    this.#manner = mannerOf(options)
    unstopped.add(this)
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  async start(args?: readonly string[]): Promise<void> {
    if (this.#child !== undefined) throw new Error('the server is running already')
    this.#args = args ?? this.#args
    const [program, line] = this.#there(this.#binary, [...this.#base(), ...this.#args])
    const child = spawn(program, line, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
    })
    await serving(child)
  }

  /** Where a file is given it is written once: the server itself may change it. */
  #base(): string[] {
    const { port, directory } = this
    if (this.#config === undefined)
      return ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--daemonize', 'no']
    const file = join(directory, 'redis.conf')
    if (!existsSync(file)) writeFileSync(file, this.#config({ port, directory }), { mode: 0o600 })
    return [file]
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async cli(...args: string[]): Promise<string> {
    const at = ['-h', '127.0.0.1', '-p', String(this.port)]
    const [program, line] = this.#there('redis-cli', [...at, ...this.#manner, ...args])
    const { stdout } = await run(program, line, { timeout: START_TIMEOUT, maxBuffer: 64 * 1024 * 1024 })
    return stdout.trim()
  }

  /** A command as it is to be run: the program, and its arguments. */
  #there(program: string, args: readonly string[]): [string, string[]] {
    const [first = program, ...rest] = [...this.#inside, program, ...args]
    return [first, rest]
  }

  async stop(): Promise<void> {
    await this.kill()
    this.endAtOnce()
  }

  /** What can still be done when the process ends. */
  endAtOnce(): void {
    this.#child?.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
    unstopped.delete(this)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** How `redis-cli` is to speak, as its arguments. */
function mannerOf({ as, tls }: RedisServerOptions): string[] {
  return [
    ...(tls === undefined ? [] : ['--tls', '--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key]),
    ...(as?.user === undefined ? [] : ['--user', as.user]),
    ...(as === undefined ? [] : ['--pass', as.password, '--no-auth-warning']),
  ]
}

/** Settles when the server says that it accepts connections, or a Sentinel that it knows itself; rejects with its output when it ends instead. */
function serving(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = ''
    const fail = (why: string): void => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(new Error(`redis-server ${why}\n${output}`))
    }
    const timer = setTimeout(() => fail(`did not serve within ${START_TIMEOUT} ms`), START_TIMEOUT)
    const read = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4000)
      if (!/ready to accept connections|sentinel id is/i.test(output)) return
      clearTimeout(timer)
      resolve()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('error', (cause) => fail(`could not be started: ${cause.message}`))
    // Not `exit`: the last of its output may come after that.
    child.once('close', (code, signal) => fail(`ended (${signal ?? code})`))
  })
}
