/** The programs that the store's contract runs on: `redis-server`, and a Valkey where `VALKEY` names one. */

export interface ServerProgram {
  readonly name: 'redis' | 'valkey'
  readonly binary: string
}

export function serverPrograms(): readonly ServerProgram[] {
  const redis: ServerProgram = { name: 'redis', binary: 'redis-server' }
  const { VALKEY: valkey } = process.env
  if (valkey !== undefined) return [redis, { name: 'valkey', binary: valkey }]
  console.log('Not run on Valkey: no program is named. Name one with VALKEY=/path/to/valkey-server.')
  return [redis]
}
