/** Everything that runs: two servers, a balancer before them, and the means to kill and to stop. */
import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { rmSync } from 'node:fs'

import type { ServerSights } from '../surroundings.ts'
import { SERVER_NAMES, type ServerName } from '../worlds.ts'
import { startBalancer, stopBalancer, type RunningBalancer } from './balancer-process.ts'
import type { Choices } from './command-line.ts'
import { startControl } from './control.ts'
import { makeFolder } from './folder.ts'
import { freePort, loopbackHosts } from './ports.ts'
import { ServerProcess } from './server-process.ts'

interface Events {
  readonly server: [name: ServerName]
  /** The balancer ended by itself: nobody can reach the page any more. */
  readonly broken: []
}

export class Demonstration extends EventEmitter<Events> {
  /** Where the page is. */
  readonly port: number
  readonly folder: string
  readonly ports: Readonly<Record<ServerName, number>>
  readonly #servers: Readonly<Record<ServerName, ServerProcess>>
  #balancer: RunningBalancer | undefined
  #control: { port: number; close(): void } | undefined
  #stopping = false

  private constructor(port: number, ports: Record<ServerName, number>) {
    super()
    // Each open page listens.
    this.setMaxListeners(0)
    this.port = port
    this.ports = ports
    this.folder = makeFolder()
    const secret = randomBytes(32).toString('base64url')
    const server = (name: ServerName): ServerProcess =>
      new ServerProcess(name, serverEnvironment(name, ports[name], this.folder, secret))
    this.#servers = { A: server('A'), B: server('B') }
  }

  /** Chooses the ports; what it finds taken, it passes over. */
  static async prepare(wanted: number): Promise<Demonstration> {
    const port = await freePort([wanted, ...(wanted === 0 ? [] : [10, 20, 30].map((step) => wanted + step))])
    const ports = { A: await freePort([port + 1]), B: await freePort([port + 2]) }
    return new Demonstration(port, ports)
  }

  async startServers(): Promise<void> {
    await Promise.all(Object.values(this.#servers).map((server) => this.#begin(server)))
  }

  /** Answers the balancer's name. */
  async startBalancer({ world, balancer }: Choices): Promise<string> {
    this.#control = await startControl({
      sights: () => this.sights,
      kill: (name) => this.#servers[name].kill(),
      watch: (onChange) => {
        this.on('server', onChange)
        return () => this.off('server', onChange)
      },
    })
    const { port, ports: servers, folder } = this
    const plan = { port, hosts: loopbackHosts(), servers, control: this.#control.port, world }
    this.#balancer = await startBalancer({ plan, kind: balancer, folder })
    this.#balancer.child.once('exit', () => this.#stopping || this.emit('broken'))
    this.#tellAll()
    return this.#balancer.name
  }

  get sights(): ServerSights {
    return { A: this.#servers.A.sight, B: this.#servers.B.sight }
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#control?.close()
    if (this.#balancer !== undefined) await stopBalancer(this.#balancer.child)
    await Promise.all(SERVER_NAMES.map((name) => this.#servers[name].stop()))
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Resolves when the server is up for the first time. */
  #begin(server: ServerProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      server.on('change', (state) => {
        if (state === 'up') resolve()
        if (state === 'down') reject(new Error(`Server ${server.name} ended before it was up.`))
        this.#tellAll()
        this.emit('server', server.name)
      })
      server.start()
    })
  }

  #tellAll(): void {
    const balancer = this.#balancer?.name ?? 'balancer'
    for (const server of Object.values(this.#servers)) server.tell({ servers: this.sights, balancer })
  }
}

/** `NODE_ENV` is said here: on plain HTTP the session cookies of a production server would not be sent. */
function serverEnvironment(name: ServerName, port: number, folder: string, secret: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    NODE_ENV: 'development',
    SERVER_NAME: name,
    PORT: String(port),
    SESSION_SECRET: secret,
    FOLDER: folder,
  }
}
