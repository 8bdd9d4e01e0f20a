/** Asking servers that may be hanging, and asking again until it is so. */
import type { RedisServer } from './redis-server.ts'

/** A server that is silent for longer is not waited for. */
const PATIENCE = 1_000
const PAUSE = 100

/** What `redis-cli` answers, if it does so soon: the server may be stopped with SIGSTOP. An error of Redis rejects. */
export async function ask(server: RedisServer, ...command: string[]): Promise<string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the server on port ${server.port} does not answer`)), PATIENCE)
  })
  return Promise.race([server.cli('-e', ...command), late]).finally(() => clearTimeout(timer))
}

/** Asks until the answer is neither false nor undefined; where asking fails it asks again too. Rejects with the last reason. */
export async function until<Answer>(
  what: string,
  answer: () => Promise<Answer | false | undefined>,
  within = 20_000,
): Promise<Answer> {
  const deadline = performance.now() + within
  let reason: unknown
  do {
    try {
      const found = await answer()
      if (found !== false && found !== undefined) return found
      reason = undefined
    } catch (error) {
      reason = error
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE))
  } while (performance.now() < deadline)
  throw new Error(`${what}: not within ${within} ms`, { cause: reason })
}

/** Acts while a setting of these servers is another one. Those that do not answer are left as they are. */
export async function withSetting<Result>(
  servers: readonly RedisServer[],
  name: string,
  value: string,
  act: () => Promise<Result>,
): Promise<Result> {
  const changing = servers.map(async (server) => {
    // The name, and its value on the next line.
    const before = (await ask(server, 'config', 'get', name)).split('\n')[1] ?? ''
    await ask(server, 'config', 'set', name, value)
    return () => ask(server, 'config', 'set', name, before)
  })
  const changed = await Promise.allSettled(changing)
  const changeBack = changed.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  try {
    return await act()
  } finally {
    await Promise.allSettled(changeBack.map((change) => change()))
  }
}
