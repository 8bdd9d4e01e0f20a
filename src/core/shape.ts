/**
 * The shape of session data has a number, so that servers with two versions of an application serve the same sessions
 * while they are replaced one by one. It stands in decimal before the encoded data, which begin with a brace; where it is
 * 1 it is left out.
 *
 * Older data are brought up when they are read, and stored so with the next change. Newer data are read as they are, and
 * never changed: who does not know what is in them would lose it.
 */
import { DataError, MigrationError, NewerDataError } from '../errors.ts'
import { decode, encode } from './codec.ts'
import type { EncodeLimits } from './encoder.ts'

/** Makes of data of an older shape those of the present one. Synchronous, and the same for the same data. */
export type Migrate = (data: object, from: number) => object

const BRACE = 0x7b
const DIGITS_MOST = 10

export class Shape {
  readonly version: number
  readonly #migrate: Migrate | undefined
  readonly #limits: EncodeLimits
  readonly #prefix: Uint8Array

  constructor(version: number, migrate: Migrate | undefined, limits: EncodeLimits) {
    this.version = version
    this.#migrate = migrate
    this.#limits = limits
    this.#prefix = version === 1 ? new Uint8Array() : Buffer.from(String(version))
  }

  /** Throws `DataError` and `LimitError`, as the codec does. */
  encode(data: object): Uint8Array {
    const encoded = encode(data, this.#limits)
    return this.#prefix.length === 0 ? encoded : Buffer.concat([this.#prefix, encoded])
  }

  /** The data in the present shape; newer ones as they are. Throws `DataError` for what cannot be decoded, and `MigrationError`. */
  decode(payload: Uint8Array): object {
    if (payload[0] === BRACE) return this.version === 1 ? decode(payload) : this.#migrated(decode(payload), 1)
    const from = versionOf(payload)
    const data = decode(payload.subarray(String(from).length))
    return from < this.version ? this.#migrated(data, from) : data
  }

  /** Whether a newer version of the application has stored the data. */
  isNewer(payload: Uint8Array): boolean {
    return payload[0] !== BRACE && versionOf(payload) > this.version
  }

  /** Throws `NewerDataError` where the data are not to be changed here. */
  refuseNewer(payload: Uint8Array, handle: string | undefined): void {
    if (!this.isNewer(payload)) return
    const version = versionOf(payload)
    throw new NewerDataError(
      version,
      `The data of the session are of version ${version}, and this server knows version ${this.version}: it reads them and changes nothing. Ask again: a newer server may answer.`,
      { handle },
    )
  }

  #migrated(data: object, from: number): object {
    try {
      const migrated: unknown = this.#migrate?.(data, from)
      if (typeof migrated !== 'object' || migrated === null || Array.isArray(migrated))
        throw new TypeError('migrate() did not return an object.')
      // What it kept a hand on, or what cannot be stored, is to show here and not at some later change.
      return decode(encode(migrated, this.#limits))
    } catch (cause) {
      throw new MigrationError(
        from,
        `migrate() failed for data of version ${from}: the session stays as it is stored, and this request cannot have its data. Mend migrate().`,
        { cause },
      )
    }
  }
}

/** Throws `DataError` where the payload begins with no number that `Shape` writes. */
function versionOf(payload: Uint8Array): number {
  if (payload[0] === BRACE) return 1
  let version = 0
  for (let at = 0; at <= DIGITS_MOST; at++) {
    const byte = payload[at]
    if (byte === BRACE && version > 1) return version
    const digit = (byte ?? 0) - 0x30
    if (digit < 0 || digit > 9 || (at === 0 && digit === 0)) break
    version = version * 10 + digit
  }
  throw new DataError('', 'The stored data of the session cannot be decoded: they do not begin like an object.')
}
