/** Starts the balancer's process. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

import type { BalancerNews, BalancerOrder } from '../balancer/main.ts'

export interface RunningBalancer {
  readonly name: string
  readonly child: ChildProcess
}

/** Resolves once the balancer listens. Rejects with what kept it from doing so. */
export async function startBalancer(order: BalancerOrder): Promise<RunningBalancer> {
  const child = fork(new URL('../balancer/main.js', import.meta.url))
  const answer = once(child, 'message') as Promise<[BalancerNews]>
  const ended = once(child, 'exit').then(() => [{ failed: 'The balancer ended before it listened.' }] as const)
  child.send(order)
  const [news] = await Promise.race([answer, ended])
  if ('failed' in news) throw new Error(news.failed)
  return { name: news.listening, child }
}

export async function stopBalancer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}
