/** What the tests of this folder share: requests of the shop, and a keyring of two secrets. */
import type { RequestFacts } from '../../src/core/request.ts'
import { createKeyring, type Keyring } from '../../src/core/keyring.ts'
import { pooledRandom, type RandomSource } from '../../src/core/random.ts'
import type { Lineage } from '../../src/csrf/token.ts'

export const SECRET = 'the first secret of the tests, long enough'
export const OLD_SECRET = 'the secret before it, and long enough too'

export const keyring: Keyring = createKeyring([SECRET, OLD_SECRET], 'shop')
export const random: RandomSource = pooledRandom()

export const user: Lineage = { selector: 'u7Qd0kR2mXw1', epoch: 3, signedIn: true }
export const guest: Lineage = { selector: 'u7Qd0kR2mXw1', epoch: 0, signedIn: false }

type Headers = RequestFacts['headers']

/** A POST to the shop with these headers and whatever else differs. */
export function post(headers: Headers = {}, differs: Partial<RequestFacts> = {}): RequestFacts {
  return { method: 'POST', path: '/cart', secure: true, headers: { host: 'shop.example', ...headers }, ...differs }
}
