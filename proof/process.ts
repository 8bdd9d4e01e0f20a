/** Programs of the proof, as processes of their own that end with this one. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

import { PROJECT } from './peers.ts'

const STARTING_MOST = 20_000
const STOPPING_MOST = 5_000

export interface Running {
  readonly port: number
  /** kill -9. Settles when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: it stands still, its connections stay open. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Sends a message, and answers the next one that it sends. One at a time. */
  ask<Said>(question: unknown): Promise<Said>
  /** Asks it to end, and sees to it. */
  stop(): Promise<void>
}

/** Starts a program of `proof`, such as `cycle/ledger`, and settles once it says on which port it listens. `options` are Node's. */
export async function start(program: string, argument: string, options: readonly string[] = []): Promise<Running> {
  const child = fork(path.join(PROJECT, `build/proof/${program}.js`), [argument], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [...options],
    // On loopback names the cookies go without HTTPS, but not in production.
    env: { ...process.env, NODE_ENV: 'development' },
  })
  const ended = once(child, 'exit')
  const port = await portOf(child)
  return {
    port,
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    ask: (question) =>
      new Promise((resolve, reject) => {
        const gone = (): void => reject(new Error(`${program} ended before it answered`))
        child.once('exit', gone)
        child.once('message', (said) => {
          child.removeListener('exit', gone)
          resolve(said as never)
        })
        child.send(question as object)
      }),
    stop: async () => {
      if (child.connected) child.disconnect()
      const stuck = setTimeout(() => child.kill('SIGKILL'), STOPPING_MOST)
      await ended
      clearTimeout(stuck)
    },
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`a process did not start within ${STARTING_MOST} ms`))
    }, STARTING_MOST)
    child.once('message', (message: { port: number }) => {
      clearTimeout(late)
      resolve(message.port)
    })
    child.once('exit', (code) => {
      clearTimeout(late)
      reject(new Error(`a process ended with ${code} before it listened`))
    })
  })
}
