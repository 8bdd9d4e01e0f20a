/**
 * The balancer's process: HAProxy where it is installed, else the built-in one. It is a process of its own
 * because HAProxy cannot see the launcher die; this one sees the channel to it close, and takes HAProxy along.
 */
import { startBuiltIn } from './built-in.ts'
import { endHaproxy, findHaproxy, haproxyVersion, listeningHaproxy, spawnHaproxy } from './haproxy.ts'
import type { Plan } from './plan.ts'

/** What the launcher sends first. */
export interface BalancerOrder {
  readonly plan: Plan
  readonly kind: 'haproxy' | 'built-in' | 'best'
  /** Where HAProxy's configuration is written. */
  readonly folder: string
}

/** What it hears. */
export type BalancerNews = { readonly listening: string } | { readonly failed: string }

let stop: () => Promise<unknown> = () => Promise.resolve()

// Ctrl-C reaches every process of a terminal at once, and so does its end; the launcher decides when this one stops.
for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined)
for (const event of ['SIGTERM', 'disconnect']) {
  process.once(event, () => {
    void stop().finally(() => process.exit())
  })
}

process.once('message', (order: BalancerOrder) => {
  start(order).then(
    (listening) => tell({ listening }),
    (error: unknown) => {
      tell({ failed: error instanceof Error ? error.message : String(error) })
      process.exitCode = 1
      process.disconnect()
    },
  )
})

/** Answers the balancer's name once it listens. */
async function start({ plan, kind, folder }: BalancerOrder): Promise<string> {
  const program = kind === 'built-in' ? undefined : findHaproxy()
  if (program === undefined) {
    if (kind === 'haproxy') throw new Error('HAProxy is not installed.')
    await startBuiltIn(plan)
    return 'built-in balancer'
  }
  const haproxy = spawnHaproxy(program, plan, folder)
  stop = () => endHaproxy(haproxy)
  await listeningHaproxy(haproxy, plan.port)
  haproxy.once('exit', () => process.exit(1))
  return haproxyVersion(program)
}

function tell(news: BalancerNews): void {
  process.send?.(news)
}
