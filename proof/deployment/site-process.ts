/** A server of the proof as a process, which may be killed, stopped and started again on its port. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

import { PROJECT } from '../peers.ts'
import { ENDED } from '../history/history.ts'
import type { FromSite, SiteSettings, ToSite } from '../site/settings.ts'

/** Told of what a server reports. */
export type Listener = (server: string, channel: string, detail: Readonly<Record<string, unknown>>) => void

const STARTING_MOST = 20_000
const STOPPING_MOST = 5_000

export class SiteProcess {
  readonly name: string
  /** How often it was started. */
  incarnation = 0
  readonly #listener: Listener
  readonly #options: readonly string[]
  #settings: SiteSettings
  #child: ChildProcess | undefined
  /** The one that serves, and was not told to end. */
  #serving: ChildProcess | undefined

  /** `options` are Node's. */
  constructor(settings: SiteSettings, listener: Listener, options: readonly string[]) {
    this.name = settings.name
    this.#settings = settings
    this.#listener = listener
    this.#options = options
  }

  get settings(): SiteSettings {
    return this.#settings
  }

  /** While it runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts it, with other settings from now on where some are given. Settles when it serves. */
  async start(changes: Partial<SiteSettings> = {}): Promise<void> {
    this.#settings = { ...this.#settings, ...changes }
    await this.#listening(this.#fork('inherit'))
  }

  /** Starts it where it should refuse, and answers what it says then; `undefined` where it serves nevertheless. */
  async refusal(): Promise<string | undefined> {
    const child = this.#fork('pipe')
    const closed = once(child, 'close')
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text))
    try {
      await this.#listening(child)
      return undefined
    } catch (error) {
      await closed
      return `${String(error)}\n${said}`
    }
  }

  /** kill -9. Settles when it is gone. */
  async kill(): Promise<void> {
    await this.#end((child) => void child.kill('SIGKILL'))
  }

  /** As a deploy does it: no new requests, those under way are answered. */
  async stop(): Promise<void> {
    await this.#end((child) => {
      if (child.connected) child.disconnect()
      const stuck = setTimeout(() => child.kill('SIGKILL'), STOPPING_MOST)
      child.once('exit', () => clearTimeout(stuck))
    })
  }

  /** SIGSTOP: it stands still, its connections stay open. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  /** SIGCONT. */
  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  tell(message: ToSite): void {
    this.#child?.send(message)
  }

  async #end(act: (child: ChildProcess) => void): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const gone = once(child, 'exit')
    this.#serving = undefined
    child.kill('SIGCONT')
    act(child)
    await gone
  }

  #fork(errors: 'inherit' | 'pipe'): ChildProcess {
    if (this.#child !== undefined) throw new Error(`server ${this.name} is running already`)
    this.incarnation++
    const child = fork(path.join(PROJECT, 'build/proof/site/server.js'), [JSON.stringify(this.#settings)], {
      stdio: ['ignore', 'ignore', errors, 'ipc'],
      execArgv: [...this.#options],
      // On loopback names the cookies go without HTTPS, but not in production.
      env: { ...process.env, NODE_ENV: 'development' },
    })
    this.#child = child
    // One that was stopped (SIGSTOP) would not notice that its parent has gone.
    const lastResort = (): void => void child.kill('SIGKILL')
    process.once('exit', lastResort)
    child.once('exit', (code, signal) => {
      process.removeListener('exit', lastResort)
      if (this.#child === child) this.#child = undefined
      if (this.#serving === child) this.#listener(this.name, ENDED, { code, signal })
    })
    child.on('message', (said: FromSite) => {
      if ('channel' in said) this.#listener(this.name, said.channel, said.detail)
    })
    return child
  }

  #listening(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        child.kill('SIGKILL')
        reject(new Error(`server ${this.name} did not start within ${STARTING_MOST} ms`))
      }, STARTING_MOST)
      child.on('message', (said: FromSite) => {
        if (!('port' in said)) return
        clearTimeout(late)
        this.#serving = child
        resolve()
      })
      child.once('exit', (code, signal) => {
        clearTimeout(late)
        reject(new Error(`server ${this.name} ended (${signal ?? code}) before it listened`))
      })
    })
  }
}
