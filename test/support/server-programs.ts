/** The programs that the contract runs on: `redis-server`, and a Valkey where one is named. */
import { describe } from 'vitest'

/** Declares the tests for each of them. `suffix` keeps their titles apart. */
export function onEachServer(declare: (binary: string, suffix: string) => void): void {
  declare('redis-server', '')
  const valkey = process.env['VALKEY']
  if (valkey === undefined)
    console.log('Not run on Valkey: no program is named. Name one with VALKEY=/path/to/valkey-server.')
  else describe('on Valkey', () => declare(valkey, ', on Valkey'))
}
