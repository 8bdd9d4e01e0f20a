/** One server of the application: a process that can be killed for real, and is started again. */
import { fork, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'

import type { ServerSight, ServerState, Surroundings } from '../surroundings.ts'
import type { ServerName } from '../worlds.ts'

/** How long a killed server stays away: long enough to see what the others do meanwhile. */
export const AWAY = 4000

interface Events {
  readonly change: [state: ServerState]
}

export class ServerProcess extends EventEmitter<Events> {
  readonly name: ServerName
  readonly #env: NodeJS.ProcessEnv
  #child: ChildProcess | undefined
  #state: ServerState = 'starting'
  #returning: NodeJS.Timeout | undefined
  #stopped = false

  constructor(name: ServerName, env: NodeJS.ProcessEnv) {
    super()
    this.name = name
    this.#env = env
  }

  get sight(): ServerSight {
    return { state: this.#state, pid: this.#state === 'up' ? this.#child?.pid : undefined }
  }

  start(): void {
    const child = fork(new URL('../server/main.js', import.meta.url), { env: this.#env })
    this.#child = child
    this.#become('starting')
    child.once('message', () => this.#become('up'))
    child.once('exit', () => {
      if (this.#stopped) return
      this.#become('down')
      this.#returning = setTimeout(() => this.start(), AWAY)
    })
  }

  /** SIGKILL: no goodbye, no last words, as when a machine loses its power. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || hasEnded(child)) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Lets it finish what it is doing, for three seconds at most. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#returning)
    const child = this.#child
    if (child === undefined || hasEnded(child)) return
    const late = setTimeout(() => child.kill('SIGKILL'), 3000)
    child.kill('SIGTERM')
    await once(child, 'exit')
    clearTimeout(late)
  }

  tell(surroundings: Surroundings): void {
    if (this.#state === 'up' && this.#child?.connected === true) this.#child.send(surroundings, () => undefined)
  }

  #become(state: ServerState): void {
    this.#state = state
    this.emit('change', state)
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
