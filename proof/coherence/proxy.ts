/**
 * What stands between the servers and Redis. Commands and their answers pass; the connections on which news of changes come,
 * known by their `SUBSCRIBE`, have the trouble that the parent asks for. A process of its own, so that no other work delays it.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

import { Frames, isNews } from './frames.ts'

/** What becomes of news. Times in milliseconds; each piece has its own between the two, so where they differ news overtake news. */
export interface Trouble {
  readonly news: 'pass' | 'lost' | readonly [least: number, most: number]
  /** How much later the answers to commands come, news excepted. */
  readonly answersLater: number
}

/** What the parent may say: what is to happen from now on, or that every channel that there is now swallows everything, for good. */
export type Order = Trouble | 'swallow' | 'count'

/** The answer to every order. */
export interface Counts {
  /** Channels for news, dead ones too. */
  readonly channels: number
  readonly swallowing: number
  /** News that came, those that were held back, those of which a later one arrived earlier, and those that were lost. */
  readonly news: number
  readonly late: number
  readonly overtaken: number
  readonly lost: number
}

/** Within so many bytes a connection has said what it is for. */
const INTRODUCTION = 4_096

const redis = Number(process.argv[2])
const lines = new Set<Line>()
const counts = { news: 0, late: 0, overtaken: 0, lost: 0 }
let trouble: Trouble = { news: 'pass', answersLater: 0 }

class Line {
  isChannel = false
  swallows = false
  readonly #near: Socket
  readonly #far: Socket
  readonly #frames = new Frames()
  #introduction = ''
  /** The news that are held back: their numbers in the order in which they came. */
  readonly #held = new Set<number>()
  #came = 0
  /** The answers that are held back, and when the last of them is due. */
  readonly #answers: Buffer[] = []
  #due = 0

  constructor(near: Socket) {
    this.#near = near
    this.#far = connect({ port: redis, host: '127.0.0.1', noDelay: true })
    near.on('data', (bytes) => this.#asked(bytes))
    this.#far.on('data', (bytes) => this.#answered(bytes))
    for (const socket of [near, this.#far]) {
      // A broken connection is what the proof makes; both ends hear of it.
      socket.on('error', () => socket.destroy())
      socket.once('close', () => this.#close())
    }
  }

  #asked(bytes: Buffer): void {
    if (!this.isChannel && this.#introduction.length < INTRODUCTION) {
      this.#introduction += bytes.toString('latin1')
      this.isChannel = /\r\nsubscribe\r\n/i.test(this.#introduction)
    }
    if (!this.swallows) this.#far.write(bytes)
  }

  #answered(bytes: Buffer): void {
    if (this.swallows) return
    if (!this.isChannel) return this.#later(bytes)
    for (const frame of this.#frames.take(bytes)) {
      if (isNews(frame)) this.#heard(frame)
      else this.#near.write(frame)
    }
  }

  /** Answers to commands, in their order. */
  #later(bytes: Buffer): void {
    const now = performance.now()
    this.#due = Math.max(this.#due, now + trouble.answersLater)
    if (this.#answers.length === 0 && this.#due <= now) return void this.#near.write(bytes)
    this.#answers.push(bytes)
    // Whichever timer is first: it hands on what came first.
    setTimeout(() => this.#hand(this.#answers.shift()), this.#due - now)
  }

  #heard(news: Buffer): void {
    counts.news++
    if (trouble.news === 'lost') counts.lost++
    else if (trouble.news === 'pass') this.#near.write(news)
    else this.#hold(news, trouble.news)
  }

  #hold(news: Buffer, [least, most]: readonly [number, number]): void {
    counts.late++
    const number = ++this.#came
    this.#held.add(number)
    setTimeout(
      () => {
        this.#held.delete(number)
        const [first = number] = this.#held
        if (first < number) counts.overtaken++
        this.#hand(news)
      },
      least + Math.random() * (most - least),
    )
  }

  #hand(bytes: Buffer | undefined): void {
    if (bytes !== undefined && !this.swallows && !this.#near.destroyed) this.#near.write(bytes)
  }

  #close(): void {
    this.#near.destroy()
    this.#far.destroy()
    lines.delete(this)
  }
}

const server = createServer({ noDelay: true }, (near) => {
  lines.add(new Line(near))
})
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on('message', (order: Order) => {
  if (order === 'swallow') for (const line of lines) line.swallows ||= line.isChannel
  else if (order !== 'count') trouble = order
  const channels = [...lines].filter(({ isChannel }) => isChannel)
  process.send?.({
    channels: channels.length,
    swallowing: channels.filter(({ swallows }) => swallows).length,
    ...counts,
  } satisfies Counts)
})
process.once('disconnect', () => process.exit(0))
