/** Waiting for replicas. WAIT asked by redis-cli is no help: it speaks of what its own connection wrote. */
import { ask, until } from './asking.ts'
import type { RedisServer } from './redis-server.ts'

/** Settles when the replica has all that the primary has by now. */
export async function caughtUp(replica: RedisServer, primary: RedisServer): Promise<void> {
  const written = await offsetOf(primary)
  await until('a replica that has it all', async () => (await offsetOf(replica)) >= written)
}

async function offsetOf(server: RedisServer): Promise<number> {
  const info = await ask(server, 'info', 'replication')
  const role = /^role:(\w+)/m.exec(info)?.[1]
  return Number(new RegExp(`^${role === 'master' ? 'master' : 'slave'}_repl_offset:(\\d+)`, 'm').exec(info)?.[1])
}
