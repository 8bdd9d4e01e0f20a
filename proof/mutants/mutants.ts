/** Every mutant, one at least for each invariant. */
import type { Mutant } from './mutant.ts'

const { raw } = String

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'selector-taken',
    invariant: 'I1',
    about: 'mints the same selector again and again, and writes to the record that it meets there',
    replaces: [
      { file: 'src/core/selectors.ts', text: 'counter: this.#counter++', by: 'counter: 0' },
      {
        file: 'src/core/identity.ts',
        text: "return ours ? record : { gone: 'superseded' }",
        by: 'return record',
      },
    ],
    caughtAs: ['another-visitor', 'shared-session', 'logged-out'],
    shows: { store: 'lmdb', faults: [] },
    simulated: ['another-visitor', 'shared-session', 'logged-out', 'lost-update'],
    test: {
      project: 'fault',
      file: 'test/fault/collisions.test.ts',
      title: 'when a record exists already under a fresh selector',
    },
  },
  {
    name: 'version-ignored',
    invariant: 'I2',
    about: 'replaces a record whatever its version',
    replaces: [
      {
        file: 'src/stores/rules.ts',
        text: '!isEnded(found) && sameVersion(versionOf(found), version)',
        by: '!isEnded(found)',
      },
      {
        file: 'src/stores/redis/scripts.ts',
        text: raw`if string.sub(head, 1, 1) == '\\0' or string.sub(head, 2) ~= ARGV[1] then`,
        by: raw`if head == '' or string.sub(head, 1, 1) == '\\0' then`,
      },
    ],
    caughtAs: ['lost-update', 'going-back'],
    shows: { store: 'redis', faults: [] },
    simulated: ['lost-update', 'going-back', 'own-write-unseen', 'logged-out'],
    test: { project: 'unit', file: 'test/core/session.test.ts', title: 'keeps parallel changes under one object' },
  },
  {
    name: 'stamp-ignored',
    invariant: 'I2',
    about: 'compares the counter of a version and not the stamp of its writer',
    replaces: [
      {
        file: 'src/core/record.ts',
        text: 'for (let at = 0; at < VERSION_LENGTH; at++) if (left[at] !== right[at])',
        by: 'for (let at = 0; at < VERSION_LENGTH / 2; at++) if (left[at] !== right[at])',
      },
      {
        file: 'src/stores/redis/scripts.ts',
        text: 'string.sub(head, 2) ~= ARGV[1]',
        by: 'string.sub(head, 2, 5) ~= string.sub(ARGV[1], 1, 4)',
      },
    ],
    caughtAs: [],
    simulated: ['logged-out', 'lost-update', 'going-back'],
    test: { project: 'unit', file: 'test/core/identity.test.ts', title: 'is not found in another’s write' },
  },
  {
    name: 'made-again',
    invariant: 'I2',
    about: 'takes its own write, whose answer was lost, for another’s, and makes the change once more on it',
    replaces: [
      {
        file: 'src/core/commits.ts',
        text: 'if (isThis(swap.found, folded.bytes)) return this.#durability === undefined ? DONE : UNCONFIRMED',
        by: 'if (isThis(swap.found, folded.bytes)) return swap',
      },
    ],
    caughtAs: [],
    simulated: ['doubled-increment'],
    test: { project: 'unit', file: 'test/core/identity.test.ts', title: 'is found again by its stamp' },
  },
  {
    name: 'merging-off',
    invariant: 'I2',
    about: 'writes what the request has in the place of what others stored meanwhile',
    replaces: [
      {
        file: 'src/core/merge.ts',
        text: 'const value = mergeAt([], base',
        by: 'const value = mine ?? mergeAt([], base',
      },
    ],
    caughtAs: ['lost-update'],
    shows: { store: 'lmdb', faults: [] },
    simulated: ['lost-update', 'going-back', 'own-write-unseen'],
    test: { project: 'unit', file: 'test/core/session.test.ts', title: 'keeps parallel changes under one object' },
  },
  {
    name: 'marker-off',
    invariant: 'I3',
    about: 'leaves no marker where a session has ended, and stores what a late request brings',
    replaces: [
      {
        file: 'src/core/ending.ts',
        text: 'store.end(selector, marker, settings.maxRequestTime,',
        by: 'store.end(selector, marker, 0,',
      },
      {
        file: 'src/core/judged-end.ts',
        text: 'store.end(selector, marker, markerTime,',
        by: 'store.end(selector, marker, Math.min(markerTime, 0),',
      },
      {
        file: 'src/core/identity.ts',
        text: "if (record === undefined) return { gone: 'absent' }",
        by: 'if (record === undefined) return this.holding.record',
      },
    ],
    caughtAs: ['alive-after-end', 'alive-after-revocation'],
    shows: { store: 'redis', faults: ['Redis slow by 200 ms', 'Redis slow by 200 ms'] },
    simulated: ['alive-after-end', 'alive-after-revocation'],
    test: {
      project: 'unit',
      file: 'test/core/session.test.ts',
      title: 'is not undone by a request that was under way',
    },
  },
  {
    name: 'wait-off',
    invariant: 'I3',
    about: 'takes for confirmed what no replica has confirmed',
    replaces: [
      {
        file: 'src/stores/redis/confirming.ts',
        text: "typeof count === 'number' && count >= this.#replicas",
        by: 'count !== undefined',
      },
    ],
    caughtAs: ['lost-update', 'going-back', 'alive-after-end', 'alive-after-revocation'],
    shows: { store: 'sentinel', durability: 'replicated', faults: ['primary cut off from all but the application'] },
    test: {
      project: 'unit',
      file: 'test/stores/redis/server.test.ts',
      title: 'are confirmed by as many replicas as are asked for',
    },
  },
  {
    name: 'previous-kept',
    invariant: 'I4',
    about: 'keeps the verifier from before a sign-in as the previous one',
    replaces: [
      {
        file: 'src/core/succession.ts',
        text: 'previous: undefined,\n    epoch: record.epoch + 1,',
        by: 'previous: { hash: record.hash, nonce: Buffer.alloc(NONCE_BYTES), graceEnds: undefined },\n    epoch: record.epoch + 1,',
      },
    ],
    caughtAs: ['old-id-accepted'],
    shows: { store: 'lmdb', faults: [] },
    simulated: ['old-id-accepted'],
    test: { project: 'unit', file: 'test/core/session.test.ts', title: 'the id from before reaches nothing' },
  },
  {
    name: 'grace-endless',
    invariant: 'I4',
    about: 'takes a renewed id for good as long as the session lives',
    replaces: [{ file: 'src/core/expiry.ts', text: '(graceEnds === undefined || now < graceEnds)', by: 'now > 0' }],
    caughtAs: ['old-id-accepted'],
    shows: { store: 'lmdb', faults: [] },
    simulated: ['old-id-accepted'],
    test: { project: 'unit', file: 'test/core/session.test.ts', title: 'logs nobody out: every parallel request' },
  },
  {
    name: 'grace-off',
    invariant: 'I4',
    about: 'refuses a renewed id at once',
    replaces: [{ file: 'src/core/expiry.ts', text: '(graceEnds === undefined || now < graceEnds)', by: 'now < 0' }],
    caughtAs: ['renewed-id-refused', 'logged-out'],
    shows: { store: 'lmdb', faults: [] },
    simulated: ['renewed-id-refused', 'logged-out'],
    test: { project: 'unit', file: 'test/core/session.test.ts', title: 'logs nobody out: every parallel request' },
  },
  {
    name: 'rank-ignored',
    invariant: 'I4',
    about: 'takes a guest’s id before that of a signed-in session',
    replaces: [
      {
        file: 'src/core/resolution.ts',
        text: "for (const rank of ['sid', 'gid'] as const) {\n    const live: Live[] = []",
        by: "for (const rank of ['gid', 'sid'] as const) {\n    const live: Live[] = []",
      },
    ],
    caughtAs: [],
    test: { project: 'unit', file: 'test/core/identity.test.ts', title: 'is the signed-in one' },
  },
  {
    name: 'sent-before-saved',
    invariant: 'I5',
    about: 'answers before the change is stored',
    replaces: [
      {
        file: 'src/core/visiting.ts',
        text: 'await this.#work.settle()',
        by: 'void this.#work.settle().catch(() => undefined)',
      },
    ],
    caughtAs: ['lost-update', 'own-write-unseen'],
    shows: { store: 'redis', faults: ['Redis out of memory (noeviction)'] },
    simulated: ['lost-update', 'own-write-unseen', 'going-back'],
    test: { project: 'flow', file: 'test/flow/saved-before-sent.test.ts', title: 'I5: on' },
  },
  {
    name: 'failing-is-absent',
    invariant: 'I6',
    about: 'takes a visitor for a stranger when the store cannot be asked',
    replaces: [
      {
        file: 'src/core/visiting.ts',
        text: 'return services.copies === undefined && !signOut\n          ? begun\n          : begun.catch(',
        by: 'return begun.catch(',
      },
      {
        file: 'src/core/visiting.ts',
        text: 'this.#work.unread = error\n    } else {\n      throw error\n    }',
        by: 'this.#work.unread = error\n    } else {\n      this.#identity.lapse([], false)\n    }',
      },
    ],
    caughtAs: ['logged-out'],
    shows: { store: 'redis', faults: ['Redis half-open connection'] },
    simulated: ['logged-out', 'lost-update'],
    test: { project: 'unit', file: 'test/core/identity.test.ts', title: 'of any kind is no reason to wait longer' },
  },
  {
    name: 'deadline-off',
    invariant: 'I6',
    about: 'waits a minute for a store that does not answer',
    replaces: [
      { file: 'src/core/guarded-store.ts', text: '}, deadline + MARGIN)', by: '}, 60_000)' },
      {
        file: 'src/stores/redis/deadlines.ts',
        text: 'this.#due.set(entry, performance.now() + this.#length)',
        by: 'this.#due.set(entry, performance.now() + 60_000)',
      },
    ],
    caughtAs: ['late-answer'],
    shows: { store: 'redis', faults: ['Redis stopped (SIGSTOP), then continued'] },
    simulated: ['late-answer'],
    test: { project: 'unit', file: 'test/core/commits.test.ts', title: 'at a write costs one deadline' },
  },
  {
    name: 'renewal-demanded',
    invariant: 'I6',
    about: 'fails a request because the renewal fails that was due',
    replaces: [{ file: 'src/core/session-work.ts', text: 'if (!isPassing(error)) throw error', by: 'throw error' }],
    caughtAs: ['undue-error'],
    shows: { store: 'lmdb', faults: ['disk full'] },
    test: { project: 'unit', file: 'test/core/outage.test.ts', title: 'does not fail a page that stores nothing' },
  },
  {
    name: 'part-denied',
    invariant: 'I2',
    about: 'says of a request that nothing was written, where only its last change was not',
    replaces: [{ file: 'src/core/session-work.ts', text: 'if (!this.#stored || !(error', by: 'if (!(error' }],
    caughtAs: [],
    test: { project: 'unit', file: 'test/core/outage.test.ts', title: 'are not told as if nothing had been written' },
  },
  {
    name: 'loss-suffered',
    invariant: 'I2',
    about: 'goes on dropping what is stored under an id that the store has forgotten',
    replaces: [
      {
        file: 'src/core/resolution.ts',
        text: "return comesAfter(id, record) && !mayBeBehind(services, id, now) ? 'lost' : 'detached'",
        by: "return 'detached'",
      },
    ],
    caughtAs: ['lost-update', 'going-back'],
    shows: {
      store: 'lmdb',
      faults: [
        'an old copy in the place of the file',
        'disk full',
        'an old copy in the place of the file',
        'disk full',
      ],
    },
    simulated: ['lost-update'],
    test: { project: 'unit', file: 'test/core/lost-ids.test.ts', title: 'lets a new visit begin' },
  },
  {
    name: 'queue-trusted',
    invariant: 'I7',
    about: 'shows who waited behind a write, and has none to make, what that write left, whatever was seen before',
    replaces: [
      {
        file: 'src/core/commits.ts',
        text: "if (!told && made.some(({ waiting }) => !sameRecord(waiting.known, base))) return 'doubtful'",
        by: '',
      },
    ],
    caughtAs: [],
    simulated: ['own-write-unseen', 'going-back'],
    test: { project: 'unit', file: 'test/core/commits.test.ts', title: 'is shown nothing older than it has seen' },
  },
  {
    name: 'floor-off',
    invariant: 'I7',
    about: 'serves from near what is older than what the browser was shown',
    replaces: [
      {
        file: 'src/core/near-cache.ts',
        text: 'entry.live.record.counter < version || this.#isOld',
        by: 'this.#isOld',
      },
      {
        file: 'src/core/near-cache.ts',
        text: 'standing.record.counter >= version',
        by: 'standing.record.counter >= 0',
      },
    ],
    caughtAs: ['own-write-unseen', 'going-back'],
    shows: { store: 'redis', faults: ['one server’s line to Redis slow by 200 ms, the other’s not'] },
    simulated: ['lost-update', 'own-write-unseen', 'going-back'],
    test: {
      project: 'unit',
      file: 'test/core/near-cache.test.ts',
      title: 'never shows a browser less than it was shown',
    },
  },
  {
    name: 'flush-off',
    invariant: 'I7',
    about: 'keeps what is near when news of changes may have been lost',
    replaces: [
      {
        file: 'src/core/near-cache.ts',
        text: 'flush(): void {\n    this.#flushes++',
        by: 'flush(): void {\n    this.#flushes++\n    if (this.#flushes > 0) return',
      },
    ],
    caughtAs: [],
    test: {
      project: 'unit',
      file: 'test/core/near-cache.test.ts',
      title: 'drops everything, and keeps nothing that is under way',
    },
  },
  {
    name: 'mark-off',
    invariant: 'I7',
    about: 'keeps an answer that the news of its change has overtaken',
    replaces: [
      { file: 'src/core/near-cache.ts', text: "'record' in standing && unchanged() ?", by: "'record' in standing ?" },
    ],
    caughtAs: [],
    test: {
      project: 'unit',
      file: 'test/core/near-cache.test.ts',
      title: 'keeps no answer that the news of its change has overtaken',
    },
  },
  {
    name: 'age-off',
    invariant: 'I7',
    about: 'serves from near however long ago it was read',
    replaces: [
      {
        file: 'src/core/near-cache.ts',
        text: 'return performance.now() - askedAt >= this.#settings.maxAge',
        by: 'return askedAt < 0',
      },
    ],
    caughtAs: [],
    simulated: ['alive-after-end', 'alive-after-revocation', 'lost-update'],
    test: { project: 'unit', file: 'test/core/near-cache.test.ts', title: 'no longer than its bound' },
  },
  {
    name: 'verifier-stored',
    invariant: 'I8',
    about: 'keeps the verifier itself in the store, and not its hash',
    replaces: [
      {
        file: 'src/core/session-id.ts',
        text: 'return sha256(verifier, HASH_BYTES)',
        by: 'return Buffer.from(verifier)',
      },
    ],
    caughtAs: [],
    test: { project: 'flow', file: 'test/flow/stolen-store.test.ts', title: 'I8: with the secret, no verifier' },
  },
  {
    name: 'mac-off',
    invariant: 'I9',
    about: 'takes a cookie whose MAC is wrong',
    replaces: [
      {
        file: 'src/core/cookie.ts',
        text: 'if (!sameBytes(mac(key.keys[rank]',
        by: 'if (rank === undefined && !sameBytes(mac(key.keys[rank]',
      },
    ],
    caughtAs: [],
    test: { project: 'unit', file: 'test/core/cookie.property.test.ts', title: 'is refused with any one bit flipped' },
  },
  {
    name: 'token-of-anybody',
    invariant: 'I9',
    about: 'takes a form with a token of another visitor',
    replaces: [
      {
        file: 'src/csrf/token.ts',
        text: 'if (lineage === undefined || !sameBytes(lineageTag(key, bytes, lineage), tag))',
        by: 'if (lineage === undefined)',
      },
    ],
    caughtAs: ['forgery-accepted'],
    shows: { store: 'lmdb', faults: [] },
    simulated: ['forgery-accepted'],
    test: { project: 'flow', file: 'test/flow/forms.test.ts', title: 'the token of one signed-in user is refused' },
  },
  {
    name: 'strangers-asked-for',
    invariant: 'I10',
    about: 'asks the store for visitors who have stored nothing',
    replaces: [
      {
        file: 'src/core/visiting.ts',
        text: 'return undefined\n  }\n\n  defer(): boolean {',
        by: 'return Promise.resolve(this.#around.services.store.load(this.#identity.visitor().id.selector)).then(() => undefined)\n  }\n\n  defer(): boolean {',
      },
    ],
    caughtAs: [],
    test: { project: 'unit', file: 'test/core/session.test.ts', title: 'costs no command while nothing is stored' },
  },
  {
    name: 'token-of-one-server',
    invariant: 'I10',
    about: 'makes tokens that only their own server takes',
    replaces: [
      {
        file: 'src/csrf/token.ts',
        text: "${lineage.signedIn ? 'user' : 'guest'} ${lineage.epoch}",
        by: "${lineage.signedIn ? 'user' : 'guest'} ${process.pid} ${lineage.epoch}",
      },
    ],
    caughtAs: ['form-refused'],
    shows: { store: 'lmdb', faults: [] },
    test: {
      project: 'flow',
      file: 'test/flow/forms.test.ts',
      title: 'a form without evidence needs its token',
    },
  },
  {
    name: 'claim-off',
    invariant: 'I11',
    about: 'runs the final step of a cycle also where another has claimed it',
    replaces: [
      {
        file: 'src/cycle/claiming.ts',
        text: 'if (!answer.done) return { theirs: place.read(answer.found) }',
        by: 'const taken = answer.done ? undefined : place.read(answer.found)\n  if (taken !== undefined) return { ours: { ...taken, claim, from } }',
      },
    ],
    caughtAs: ['effect-twice'],
    shows: { store: 'lmdb', faults: [] },
    simulated: ['effect-twice'],
    test: { project: 'unit', file: 'test/cycle/cycle.test.ts', title: 'runs once, whoever sends it how often' },
  },
  {
    name: 'doubt-off',
    invariant: 'I11',
    about: 'runs the final step of a cycle again whose server died within it',
    replaces: [
      { file: 'src/cycle/finishing.ts', text: "if (settings.onDoubt === 'retry')", by: 'if (settings.lease > 0)' },
    ],
    caughtAs: [],
    test: { project: 'unit', file: 'test/cycle/claims.test.ts', title: 'leaves the cycle in doubt after its lease' },
  },
  {
    name: 'index-unread',
    invariant: 'I12',
    about: 'revokes none of a user’s sessions but the one that asks',
    replaces: [
      {
        file: 'src/core/users.ts',
        text: 'for (const { selector } of entries) {',
        by: 'for (const { selector } of entries.slice(entries.length)) {',
      },
    ],
    caughtAs: ['alive-after-revocation'],
    shows: { store: 'lmdb', faults: [] },
    simulated: ['alive-after-revocation'],
    test: {
      project: 'unit',
      file: 'test/core/session.test.ts',
      title: 'ends every session of the user but the one spared',
    },
  },
  {
    name: 'expiry-off',
    invariant: 'I12',
    about: 'writes records that never expire',
    replaces: [
      {
        file: 'src/stores/redis/scripts.ts',
        text: "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])",
        by: "redis.call('SET', KEYS[1], ARGV[2])",
      },
    ],
    caughtAs: [],
    test: { project: 'flow', file: 'test/flow/keys.test.ts', title: 'after visitors of all kinds every key expires' },
  },
  {
    name: 'limit-off',
    invariant: 'I13',
    about: 'stores a record of any size',
    replaces: [
      {
        file: 'src/core/encoder.ts',
        text: 'if (bytes.length > this.#limits.recordSize) throw',
        by: 'if (bytes.length < 0) throw',
      },
      { file: 'src/core/encoder.ts', text: 'if (this.#size > this.#limits.recordSize)', by: 'if (this.#size < 0)' },
    ],
    caughtAs: [],
    test: { project: 'unit', file: 'test/core/limits.test.ts', title: 'what update() makes too large throws there' },
  },
]

/** Throws for a name that no mutant has. */
export function mutantNamed(name: string): Mutant {
  const found = MUTANTS.find((one) => one.name === name)
  if (found === undefined) throw new Error(`'${name}' is none of ${MUTANTS.map((one) => one.name).join(', ')}.`)
  return found
}
