/**
 * Requests at a constant rate, whether the server keeps up or not: an open loop. Each request has a moment when it is due.
 * Its latency counts from that moment to the last byte of the answer, so that what had to wait behind a slow answer is
 * measured as late as its visitor would have seen it (nothing is omitted by coordination).
 */
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'

export interface SteadyLoad {
  readonly port: number
  /** As they go over the wire; sent in turn. */
  readonly requests: readonly string[]
  /** Requests per second. */
  readonly rate: number
  readonly seconds: number
  readonly connections: number
}

export interface SteadyResult {
  /** Milliseconds of each request, in the order of the answers. */
  readonly latencies: readonly number[]
  /** Requests per second that were answered, until the last answer. */
  readonly rate: number
}

/** Where the server does not keep up, this many wait at most; then the run fails. */
const MOST_WAITING = 100_000

/** Resolves when all requests of the time are answered. Rejects on an answer that is not 2xx, and where the server falls behind too far. */
export async function serveAtRate({ port, requests, rate, seconds, connections }: SteadyLoad): Promise<SteadyResult> {
  const clients = await Promise.all(Array.from({ length: connections }, () => Client.connect(port)))
  const idle = [...clients]
  const latencies: number[] = []
  const total = Math.round(rate * seconds)
  // A thread sleeps to fractions of a millisecond; this one's timers do not.
  const ticker = new Ticker(Math.min(0.5, 500 / rate))
  const start = performance.now()
  let due = 0
  let next = 0
  try {
    await new Promise<void>((resolve, reject) => {
      const send = (): void => {
        for (const client of idle.splice(0, due - next)) dispatch(client)
      }
      const dispatch = (client: Client): void => {
        const dueAt = start + (next * 1000) / rate
        client.ask(requests[next++ % requests.length] as string, (error) => {
          if (error !== undefined) return reject(error)
          latencies.push(performance.now() - dueAt)
          if (latencies.length === total) return resolve()
          idle.push(client)
          if (next < due) send()
        })
      }
      ticker.start(() => {
        due = Math.min(total, Math.floor(((performance.now() - start) * rate) / 1000) + 1)
        if (due - next > MOST_WAITING) reject(new Error(`${due - next} requests wait: the server does not keep up`))
        else if (next < due) send()
      })
    })
    return { latencies, rate: (total * 1000) / (performance.now() - start) }
  } finally {
    await ticker.stop()
    for (const client of clients) client.close()
  }
}

/** Calls back at an interval of fractions of a millisecond, without keeping its core busy. */
class Ticker {
  readonly #worker: Worker

  constructor(milliseconds: number) {
    const program = `
      const { parentPort, workerData } = require('node:worker_threads')
      const cell = new Int32Array(new SharedArrayBuffer(4))
      for (;;) {
        Atomics.wait(cell, 0, 0, workerData)
        parentPort.postMessage(0)
      }`
    this.#worker = new Worker(program, { eval: true, workerData: milliseconds })
  }

  start(tick: () => void): void {
    this.#worker.on('message', tick)
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}

type Answered = (error?: Error) => void

const CLOSED = 'the server closed a connection'
const HEAD_END = '\r\n\r\n'

/** One connection that is kept alive, with one request under way at most. */
class Client {
  readonly #socket: Socket
  #received = ''
  #answered: Answered | undefined

  private constructor(socket: Socket) {
    this.#socket = socket.setNoDelay().setEncoding('latin1')
    socket.on('data', (text: string) => this.#receive(text))
    socket.once('error', (error) => this.#end(error))
    socket.once('close', () => this.#end(new Error(CLOSED)))
  }

  static connect(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.off('error', reject)
        resolve(new Client(socket))
      })
      socket.once('error', reject)
    })
  }

  ask(request: string, answered: Answered): void {
    if (this.#socket.destroyed) return answered(new Error(CLOSED))
    this.#answered = answered
    this.#socket.write(request, 'latin1')
  }

  close(): void {
    this.#answered = undefined
    this.#socket.destroy()
  }

  #receive(text: string): void {
    this.#received += text
    if (!isWhole(this.#received)) return
    const status = this.#received.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)
    const error = status.startsWith('2') ? undefined : new Error(`answered with ${status}`)
    this.#received = ''
    this.#end(error)
  }

  #end(error?: Error): void {
    const answered = this.#answered
    this.#answered = undefined
    answered?.(error)
  }
}

/** Whether all of an answer is there, by its length or by its last chunk. */
function isWhole(received: string): boolean {
  const head = received.indexOf(HEAD_END)
  if (head === -1) return false
  const length = /\r\ncontent-length: *(\d+)/i.exec(received.slice(0, head))?.[1]
  if (length === undefined) return received.endsWith(`0${HEAD_END}`)
  return received.length >= head + HEAD_END.length + Number(length)
}
