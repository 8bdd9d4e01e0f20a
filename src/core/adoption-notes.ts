/**
 * What is remembered of an old session that was adopted: a record beside that of the session it became, for as long as
 * the old one could be brought again. It names the old session, enciphered, where that has still to be ended.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'

import { StoreUnavailableError } from '../errors.ts'
import type { Clock } from './clock.ts'
import { standingOf, type Stored } from './commits.ts'
import { FINGERPRINT_LENGTH, type Keyring } from './keyring.ts'
import { encodeRecord } from './live-record.ts'
import { versionOf } from './record.ts'
import type { RandomSource } from './random.ts'
import { placeOf } from './session-id.ts'
import type { Selector, Store } from './store.ts'

/** What became of it, in this order and never back. `ending`: its end has not reached its own store yet. */
export type Fate = 'adopted' | 'ending' | 'ended'
const FATES: readonly Fate[] = ['adopted', 'ending', 'ended']

export interface Note {
  readonly fate: Fate
  /** When it was first written, in milliseconds of the store's clock. */
  readonly since: number
  /** The old session, where it may have to be ended: whose it is, and its id. */
  readonly kind?: string | undefined
  readonly id?: string | undefined
  /** Where that is mirrored: a hash of the state of the old record that was taken over last, and the session's version then. */
  readonly taken?: { readonly hash: string; readonly counter: number } | undefined
}

interface Found {
  readonly note: Note
  readonly stored: Stored
}

/** What notes are kept with. */
export interface NoteKeeping {
  readonly store: Store
  readonly keyring: Keyring
  readonly random: RandomSource
  readonly clock: Clock
}

const ATTEMPTS_MOST = 20
const IV_BYTES = 12
const TAG_BYTES = 16
const NO_HASH = new Uint8Array(16)

export class Notes {
  readonly #keeping: NoteKeeping

  constructor(keeping: NoteKeeping) {
    this.#keeping = keeping
  }

  /** The note beside this session. One that cannot be read says that it was adopted, and no more. */
  async read(selector: Selector): Promise<Note | undefined> {
    return (await this.#find(selector))?.note
  }

  /** Writes a note, for `ttl` milliseconds. What is known to be further along stays. Answers what is there now. */
  write(selector: Selector, wanted: Omit<Note, 'since'>, ttl: number): Promise<Note> {
    const further = ({ fate }: Note): boolean => FATES.indexOf(fate) >= FATES.indexOf(wanted.fate)
    return this.#write(selector, wanted, ttl, further)
  }

  async #write(
    selector: Selector,
    wanted: Omit<Note, 'since'>,
    ttl: number,
    stays: (there: Note) => boolean,
  ): Promise<Note> {
    const { store, random, clock } = this.#keeping
    for (let attempt = 0; attempt < ATTEMPTS_MOST; attempt++) {
      const found = await this.#find(selector)
      if (found !== undefined && stays(found.note)) return found.note
      const note: Note = { ...wanted, since: found?.note.since ?? clock.now() }
      const counter = (found?.stored.record.counter ?? 0) + 1
      const bytes = encodeRecord(this.#recordOf(note, counter), random(4))
      const swap =
        found === undefined
          ? await store.create(besides(selector), bytes, ttl)
          : await store.replace(besides(selector), versionOf(found.stored.bytes), bytes, ttl)
      if (swap.done) return note
    }
    throw new StoreUnavailableError('What became of an old session changed faster than it could be noted. Try again.')
  }

  /** Says which old session it goes with from now on, or that there is none. Where it has ended, that stays. */
  async link(selector: Selector, old: Pick<Note, 'kind' | 'id' | 'taken'>, ttl: number): Promise<void> {
    await this.#write(selector, { fate: 'adopted', ...old }, ttl, ({ fate }) => fate !== 'adopted')
  }

  async #find(selector: Selector): Promise<Found | undefined> {
    const stored = standingOf(await this.#keeping.store.load(besides(selector)))
    return 'record' in stored ? { note: this.#open(stored), stored } : undefined
  }

  #recordOf(note: Note, counter: number): Parameters<typeof encodeRecord>[0] {
    return {
      counter,
      userId: undefined,
      epoch: 0,
      hash: NO_HASH,
      createdAt: note.since,
      idMintedAt: note.since,
      signedInAt: undefined,
      sparedAt: undefined,
      previous: undefined,
      payload: this.#seal({ fate: note.fate, kind: note.kind, id: note.id, taken: note.taken }),
    }
  }

  #seal(note: Omit<Note, 'since'>): Uint8Array {
    const { keyring, random } = this.#keeping
    const { fingerprint, keys } = keyring.active
    const iv = random(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', keys.note, iv)
    const sealed = Buffer.concat([cipher.update(JSON.stringify(note)), cipher.final()])
    return Buffer.concat([fingerprint, iv, cipher.getAuthTag(), sealed])
  }

  #open({ record }: Stored): Note {
    const since = record.createdAt
    const bytes = Buffer.from(record.payload)
    const key = this.#keeping.keyring.find(bytes.subarray(0, FINGERPRINT_LENGTH))
    const sealedAt = FINGERPRINT_LENGTH + IV_BYTES + TAG_BYTES
    if (key === undefined || bytes.length <= sealedAt) return { fate: 'adopted', since }
    const iv = bytes.subarray(FINGERPRINT_LENGTH, FINGERPRINT_LENGTH + IV_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key.keys.note, iv)
    decipher.setAuthTag(bytes.subarray(sealedAt - TAG_BYTES, sealedAt))
    try {
      const opened = Buffer.concat([decipher.update(bytes.subarray(sealedAt)), decipher.final()])
      return { ...(JSON.parse(opened.toString('utf8')) as Omit<Note, 'since'>), since }
    } catch {
      // Somebody has written into the store: what is there was adopted, and leads nowhere else.
      return { fate: 'adopted', since }
    }
  }
}

/** Where the note of a session stands. */
function besides(selector: Selector): Selector {
  return placeOf('holdfast adoption note', [selector])
}
