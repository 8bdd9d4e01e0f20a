/**
 * The servers of one topology, each in a network namespace of its own on a bridge between them, so that the kernel itself
 * loses what one sends to another: nobody is told, nothing is reset, TCP sends again, and connections are half-open. The
 * application stands outside, where this process is. It takes Linux, its `ip` (iproute2) and root.
 *
 * ```ts
 * const { network, ...redis } = await startSentinels({ links: 'namespaces' })
 * network.split(['application'], [await redis.primary()])   // as network.ts has it
 * network.heal()                                            // what was sent meanwhile arrives, where TCP still tries
 * ```
 */
import { execFileSync } from 'node:child_process'

import { type Member, Neighbourhood, type Party, type Place, type Surroundings } from './network.ts'
import { type RedisServerOptions, startRedisServer } from './redis-server.ts'
import { HOST } from './server-config.ts'

/** Whether lines can be broken, and by what: gates (`true`), or the kernel. */
export type Links = boolean | 'namespaces'

export function neighbourhood(links: Links): Surroundings {
  return links === 'namespaces' ? new Namespaces() : new Neighbourhood(links)
}

/** Why there can be none here; `undefined` where there can. */
export function whyNoNamespaces(): string | undefined {
  const tried = new Namespaces()
  try {
    const one = tried.add()
    if (!packetsPass) see(one.inside, tried.add().host)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    tried.remove()
  }
}

interface Standing {
  /** The namespace; `undefined` for this process's own. */
  readonly inside?: string
  readonly device: string
  readonly host: string
}

/** An address that no network card has: what is sent to it nobody takes. */
const NOBODY = '02:00:00:00:00:00'
/** 198.18.0.0/15 is for measuring networks: nobody has machines there. So many bridges have a part of it. */
const PARTS = 512
/** What is named so was made here, by the process of that number. */
const OURS = /\bhf(\d+)[a-z]\d*\b/g
let made = 0
/** Nothing listens there (RFC 863 has it for what is thrown away). */
const CLOSED_PORT = 9
/** Whether what one namespace sends was seen to reach another: a machine's firewall may be in between. */
let packetsPass = false

export class Namespaces implements Surroundings {
  readonly #bridge = `hf${process.pid}${String.fromCharCode(97 + (made++ % 26))}`
  readonly #members: Member[] = []
  readonly #standing = new Map<Party, Standing>()
  readonly #spaces: string[] = []
  /** What does not arrive: from where, and at which host. */
  readonly #lost = new Map<string, readonly [Standing, string]>()
  readonly #remove = (): void => this.remove()
  #net = ''

  async settle(ports: readonly number[], optionsAt: (place: Place) => RedisServerOptions): Promise<Member> {
    const why = packetsPass ? undefined : whyNoNamespaces()
    if (why !== undefined) throw new Error(why)
    const { inside, host, device } = this.add()
    const server = await startRedisServer(
      optionsAt({
        host,
        announced: ports,
        args: ['--bind', HOST, host, '--protected-mode', 'no'],
        inside: ['ip', 'netns', 'exec', inside],
      }),
    )
    const member = Object.assign(server, { host, announced: ports[0] ?? server.port })
    this.#members.push(member)
    this.#standing.set(member, { inside, host, device })
    return member
  }

  wire(): never {
    throw new Error('what is between namespaces has no wires: split() and heal() are all that can be done to it')
  }

  split(side: readonly Party[], other: readonly Party[], how: 'freeze' | 'cut' = 'freeze'): void {
    if (how === 'cut') throw new Error('the kernel loses what is sent, and cuts no connection')
    for (const one of side) for (const another of other) this.#lose(this.#whereIs(one), this.#whereIs(another))
  }

  heal(): void {
    for (const [{ inside, device }, host] of this.#lost.values()) ip([`neigh del ${host} dev ${device}`], inside)
    this.#lost.clear()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.stop()))
    this.remove()
  }

  /** A place for one more server. Throws an `Error` for people where there can be none. */
  add(): Required<Standing> {
    if (this.#net === '') this.#open()
    const number = this.#spaces.length + 1
    const inside = `${this.#bridge}${number}`
    const [device, host] = ['eth0', `${this.#net}.${number + 1}`]
    // By one name here and there: the namespace's, and that of the end of its line at the bridge.
    this.#spaces.push(inside)
    ip([
      `netns add ${inside}`,
      `link add ${inside} type veth peer name ${device} netns ${inside}`,
      `link set ${inside} master ${this.#bridge} up`,
    ])
    ip([`addr add ${host}/24 dev ${device}`, `link set ${device} up`, 'link set lo up'], inside)
    return { inside, device, host }
  }

  /** Takes all of it away. Safe to call again. */
  remove(): void {
    process.removeListener('exit', this.#remove)
    if (this.#net === '') return
    this.#net = ''
    this.#spaces.length = 0
    removeAll((_, name) => name.startsWith(this.#bridge))
  }

  #open(): void {
    // What processes have left behind that are no more.
    removeAll((pid) => !runs(pid))
    const taken = ip(['addr show'])
    const free = Array.from({ length: PARTS }, (_, at) => (process.pid + at) % PARTS)
      .map((part) => `198.${18 + Math.floor(part / 256)}.${part % 256}`)
      .find((net) => !taken.includes(` ${net}.`))
    if (free === undefined) throw new Error('all networks of 198.18.0.0/15 are taken')
    this.#net = free
    process.once('exit', this.#remove)
    const host = `${free}.1`
    ip([
      `link add ${this.#bridge} type bridge`,
      `addr add ${host}/24 dev ${this.#bridge}`,
      `link set ${this.#bridge} up`,
    ])
    this.#standing.set('application', { device: this.#bridge, host })
  }

  /** Both ways. */
  #lose(one: Standing, another: Standing): void {
    for (const [from, to] of [
      [one, another],
      [another, one],
    ] as const) {
      ip([`neigh replace ${to.host} lladdr ${NOBODY} dev ${from.device} nud permanent`], from.inside)
      this.#lost.set(`${from.host} ${to.host}`, [from, to.host])
    }
  }

  #whereIs(party: Party): Standing {
    const found = this.#standing.get(party)
    if (found === undefined) throw new Error('this server is not of this topology')
    return found
  }
}

/** Throws where what is sent from there does not reach this host: a host that is reached refuses the connection. */
function see(inside: string, host: string): void {
  const program = `require('node:net').connect(${CLOSED_PORT}, '${host}').setTimeout(2000, () => process.exit()).on('error', ({ code }) => { console.log(code); process.exit() })`
  const within = ['netns', 'exec', inside, process.execPath, '-e', program]
  const said = execFileSync('ip', within, { encoding: 'utf8' }).trim()
  if (said !== 'ECONNREFUSED')
    throw new Error(
      `network namespaces cannot be had here: what one sends does not reach another (${said || 'no answer in 2 s'}); look whether a firewall filters bridges (sysctl net.bridge.bridge-nf-call-iptables)`,
    )
  packetsPass = true
}

/** Takes away what was made here and is meant. What stands in a namespace goes with it, once its processes are gone. */
function removeAll(isMeant: (pid: number, name: string) => boolean): void {
  const among = (listing: string): string[] => {
    const names = [...listing.matchAll(OURS)].filter(([name, pid]) => isMeant(Number(pid), name))
    return [...new Set(names.map(([name]) => name))]
  }
  ip(among(ip(['link show'])).map((name) => `link del ${name}`))
  ip(among(ip(['netns list'])).map((name) => `netns del ${name}`))
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Carries these commands out, in a namespace where one is named, and answers what they print. */
function ip(commands: readonly string[], inside?: string): string {
  if (commands.length === 0) return ''
  try {
    return execFileSync('ip', [...(inside === undefined ? [] : ['-n', inside]), '-batch', '-'], {
      input: `${commands.join('\n')}\n`,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { readonly stderr?: string }
    const why = code === 'ENOENT' ? 'there is no ip: it comes with iproute2' : (stderr ?? '').trim().split('\n')[0]
    throw new Error(`network namespaces cannot be had here, they take Linux, iproute2 and root: ${why}`, {
      cause: error,
    })
  }
}
