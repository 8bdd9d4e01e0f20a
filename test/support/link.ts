/**
 * The wire between two programs, for breaking it: a TCP link to a port of the loopback interface, in this process.
 *
 * ```ts
 * const link = await startLink({ to: redis.port })
 * const store = redisStore(`redis://127.0.0.1:${link.port}`)
 * link.cut()             // connections are reset, new ones at once
 * link.freeze()          // nothing passes, nothing breaks; what is sent meanwhile arrives after `restore()`
 * link.freeze('dropped') // or never does
 * link.drop('answers')   // one way only
 * link.loseAnswers()     // what is asked passes; both ends are reset when the answer sets out
 * link.delay(20)         // each way; together with any of the others
 * link.lose(0.05)        // of 100 pieces 5 are lost, and sent again 200 ms later; together with any of the others
 * link.restore()         // whole again
 * await link.stop()
 * ```
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, Socket } from 'node:net'

/** A direction: what the one who connected sends, and what comes back. */
export type Way = 'requests' | 'answers'

/** What can happen to the connections between two programs. Each fault takes the place of the one before. */
export interface Wire {
  /** How many connections there are now. */
  readonly connections: number
  /** What was sent and never delivered because of `freeze('dropped')`, `drop` or `loseAnswers`: once for each time. */
  readonly lost: readonly Buffer[]
  /** Resets the connections, and new ones as soon as they are made. That nobody listens at all is for killing the server. */
  cut(): void
  /**
   * Half-open: connections stay, new ones are accepted, nothing passes. What is sent meanwhile is delivered by
   * `restore()`, or dropped.
   */
  freeze(bytes?: 'kept' | 'dropped'): void
  /** One way only: what is sent that way is dropped, the other way passes. */
  drop(way: Way): void
  /** What is asked passes. Of what each connection answers so many bytes pass, then both its ends are reset. Default: 0. */
  loseAnswers(after?: number): void
  /** Everything takes so many milliseconds longer, each way or the ways given, until `restore()`. */
  delay(ms: number | Readonly<Partial<Record<Way, number>>>): void
  /**
   * As on a line that loses packets: with this probability a piece is lost, and sent again after 200 ms, after 400 more
   * where that one is lost too, and so on; what was sent behind it waits. Until `restore()`. `chance`: from 0 to below 1.
   */
  lose(share: number, chance?: () => number): void
  /** Whole again. Connections of which bytes were dropped are reset: nothing else could become of them. */
  restore(): void
}

export interface Link extends Wire, AsyncDisposable {
  readonly port: number
  /** Resets what is left. Safe to call again. */
  stop(): Promise<void>
}

/** Starts a link on a free port, and settles when it accepts connections. */
export async function startLink({ to }: { readonly to: number }): Promise<Link> {
  const link = new TcpLink(to)
  await link.listen()
  return link
}

type Handling = 'pass' | 'hold' | 'drop'

interface State extends Readonly<Record<Way, Handling>> {
  readonly refusing: boolean
  /** How many bytes of answers each connection may still bring before it is reset. */
  readonly answerBytes: number
}

const WHOLE: State = { requests: 'pass', answers: 'pass', refusing: false, answerBytes: Infinity }
const NO_DELAY: Readonly<Record<Way, number>> = { requests: 0, answers: 0 }
/** When TCP sends again what nobody has confirmed, in milliseconds; after that twice as long, and so on. */
const SENT_AGAIN = 200

/** The connections that somebody accepted for it, to one port. */
export class TcpWire implements Wire {
  readonly lost: Buffer[] = []
  readonly #to: number
  readonly #pairs = new Set<Pair>()
  #state = WHOLE
  #delays = NO_DELAY
  #resent: () => number = () => 0

  constructor(to: number) {
    this.#to = to
  }

  get connections(): number {
    return this.#pairs.size
  }

  get state(): State {
    return this.#state
  }

  /** How many milliseconds the next piece takes that way. */
  takes(way: Way): number {
    return this.#delays[way] + this.#resent()
  }

  /** Takes over a connection that was accepted, half-open ones allowed. */
  join(near: Socket): void {
    if (this.#state.refusing) return reset(near)
    const pair = new Pair(near, this, this.#to, () => this.#pairs.delete(pair))
    this.#pairs.add(pair)
    pair.follow(this.#state)
  }

  cut(): void {
    this.#become({ ...WHOLE, refusing: true })
    this.end()
  }

  freeze(bytes: 'kept' | 'dropped' = 'kept'): void {
    const handling = bytes === 'kept' ? 'hold' : 'drop'
    this.#become({ ...WHOLE, requests: handling, answers: handling })
  }

  drop(way: Way): void {
    this.#become({ ...WHOLE, [way]: 'drop' })
  }

  loseAnswers(after = 0): void {
    this.#become({ ...WHOLE, answerBytes: after })
  }

  delay(ms: number | Readonly<Partial<Record<Way, number>>>): void {
    this.#delays = typeof ms === 'number' ? { requests: ms, answers: ms } : { ...NO_DELAY, ...ms }
  }

  lose(share: number, chance: () => number = Math.random): void {
    this.#resent = () => {
      let late = 0
      for (let wait = SENT_AGAIN; chance() < share; wait *= 2) late += wait
      return late
    }
  }

  restore(): void {
    this.#delays = NO_DELAY
    this.#resent = () => 0
    this.#become(WHOLE)
  }

  /** Resets all connections. */
  end(): void {
    for (const pair of this.#pairs) pair.reset()
  }

  #become(state: State): void {
    this.#state = state
    for (const pair of this.#pairs) pair.follow(state)
  }
}

class TcpLink extends TcpWire implements Link {
  port = 0
  readonly #server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => this.join(near))

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined
    this.#server.close()
    this.end()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** One connection: the socket that was accepted, and the one that leads on. */
class Pair {
  readonly #wire: TcpWire
  readonly #near: Socket
  readonly #far = new Socket({ allowHalfOpen: true })
  readonly #to: number
  readonly #lanes: Readonly<Record<Way, Lane>>
  #opened = false
  /** Something is missing in what one of them reads. */
  #torn = false
  #answerBytes = Infinity

  constructor(near: Socket, wire: TcpWire, to: number, gone: () => void) {
    this.#near = near
    this.#wire = wire
    this.#to = to
    this.#lanes = { requests: new Lane(near, this.#far), answers: new Lane(this.#far, near) }
    this.#listen('requests', near)
    this.#listen('answers', this.#far)
    for (const socket of [near, this.#far])
      socket.once('close', () => {
        if (near.destroyed && (this.#far.destroyed || !this.#opened)) gone()
      })
  }

  /** Does as the wire does from now on. */
  follow(state: State): void {
    if (this.#torn) return this.reset()
    this.#answerBytes = state.answerBytes
    if (state.requests === 'pass' || state.answers === 'pass') this.#open()
    this.#lanes.requests.handle(state.requests)
    this.#lanes.answers.handle(state.answers)
  }

  reset(): void {
    reset(this.#near)
    reset(this.#far)
  }

  /** A frozen wire reaches nobody: who is at its other end is asked when something may pass. */
  #open(): void {
    if (this.#opened || this.#near.destroyed) return
    this.#opened = true
    this.#far.setNoDelay(true).connect(this.#to, '127.0.0.1')
  }

  #listen(way: Way, from: Socket): void {
    const lane = this.#lanes[way]
    const send = (what: Parcel): void => lane.send(what, this.#wire.takes(way))
    from.on('data', (bytes) => {
      if (this.#wire.state[way] === 'drop') return this.#lose(bytes)
      if (way === 'answers' && bytes.length > this.#answerBytes) return this.#loseAnswer(bytes, send)
      if (way === 'answers') this.#answerBytes -= bytes.length
      send(bytes)
    })
    from.on('end', () => send('end'))
    // A broken connection is what this is for; the other end hears of it.
    from.on('error', () => send('reset'))
  }

  #lose(bytes: Buffer): void {
    this.#torn = true
    this.#wire.lost.push(bytes)
  }

  #loseAnswer(bytes: Buffer, send: (what: Parcel) => void): void {
    this.#lose(bytes.subarray(this.#answerBytes))
    if (this.#answerBytes > 0) send(bytes.subarray(0, this.#answerBytes))
    send('reset')
    this.#answerBytes = 0
    reset(this.#far)
  }
}

type Parcel = Buffer | 'end' | 'reset'

/** One way of one connection: what comes from one socket goes to the other, in its order, at its time. */
class Lane {
  readonly #from: Socket
  readonly #to: Socket
  readonly #parcels: { readonly due: number; readonly what: Parcel }[] = []
  #handling: Handling = 'hold'
  #latest = 0
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket) {
    this.#from = from
    this.#to = to
    to.on('drain', () => this.#flow())
    to.once('close', () => clearTimeout(this.#timer))
  }

  handle(handling: Handling): void {
    this.#handling = handling
    this.#flow()
    this.#deliver()
  }

  send(what: Parcel, delay: number): void {
    this.#latest = Math.max(this.#latest, performance.now() + delay)
    this.#parcels.push({ due: this.#latest, what })
    this.#deliver()
  }

  /** A wire on which nothing passes takes nothing either once its ends' buffers are full; one that drops takes all. */
  #flow(): void {
    if (this.#handling === 'hold') this.#from.pause()
    else this.#from.resume()
  }

  readonly #deliver = (): void => {
    clearTimeout(this.#timer)
    if (this.#handling !== 'pass') return
    for (;;) {
      const wait = (this.#parcels[0]?.due ?? Infinity) - performance.now()
      if (wait === Infinity) return
      if (wait > 0) {
        this.#timer = setTimeout(this.#deliver, wait)
        return
      }
      this.#hand(this.#parcels.shift()?.what)
    }
  }

  #hand(what: Parcel | undefined): void {
    if (this.#to.destroyed || what === undefined) return
    if (what === 'end') this.#to.end()
    else if (what === 'reset') reset(this.#to)
    else if (!this.#to.write(what)) this.#from.pause()
  }
}

/** Node cannot reset a socket that has been ended, or is not connected. */
function reset(socket: Socket): void {
  if (socket.pending || socket.writableEnded) socket.destroy()
  else if (!socket.destroyed) socket.resetAndDestroy()
}
