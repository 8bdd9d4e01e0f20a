/** Every rule of the checker: a small history in which it is broken, and its neighbours in which it is not. */
import { describe, expect, it } from 'vitest'

import { check } from '../../../proof/checker/check.ts'
import { ENDED } from '../../../proof/history/history.ts'
import { Story, type Told } from './story.ts'

/** Names of what the checker finds, `name (excused)` where something excuses it. */
function found(story: Story): string[] {
  return check(story.history).map(({ name, excusedBy }) => (excusedBy === undefined ? name : `${name} (excused)`))
}

const V2: Told = { visit: 'v1-2' }
const ada = (seen: Told['seen'] = {}, told: Told = {}): Told => ({ ...V2, ...told, seen: { user: 'ada', ...seen } })

describe('changes', () => {
  it('that are seen by all that is asked after their answers break no rule', () => {
    const story = new Story()
    story.tell('add', { item: 'v1.0' }, { seen: { cart: ['v1.0'] } })
    story.signIn('v1-2', 'ada', 'v1-1', ['v1.0'])
    story.tell('count', {}, ada({ cart: ['v1.0'], count: 1 }))
    story.tell('mark', { mark: 1 }, ada({ cart: ['v1.0'], count: 1, mark: 1 }))
    story.tell('read', {}, ada({ cart: ['v1.0'], count: 1, mark: 1 }))
    expect(found(story)).toEqual([])
  })

  it.each([
    ['an item', 'add', { item: 'v1.0' }, { cart: ['v1.0'] }],
    ['an addition', 'count', {}, { count: 1 }],
    ['a mark', 'mark', { mark: 1 }, { mark: 1 }],
  ] as const)('%s that is gone for good is lost; one that comes back was unseen', (_what, kind, asked, seen) => {
    const lost = new Story()
    lost.tell(kind, asked, { seen })
    lost.tell('read', {})
    expect(found(lost)).toContain('lost-update')
    lost.tell('read', {}, { seen })
    expect(found(lost)).toContain('own-write-unseen')
    expect(found(lost)).not.toContain('lost-update')
  })

  it('of which nobody knows whether they were made may be there or not', () => {
    const story = new Story().broken({ sort: 'server' })
    story.tell('add', { item: 'v1.0' }, { outcome: 'unknown', status: 0, seen: undefined })
    story.tell('read', {}, { seen: { cart: ['v1.0'] } })
    const other = new Story().broken({ sort: 'server' })
    other.tell('count', {}, { outcome: 'unknown', status: 0, seen: undefined })
    other.tell('read', {})
    expect([...found(story), ...found(other)]).toEqual([])
  })

  it('of a guest go along when that one signs in', () => {
    const story = new Story()
    story.tell('add', { item: 'v1.0' }, { seen: { cart: ['v1.0'] } })
    story.signIn('v1-2', 'ada', 'v1-1')
    story.tell('read', {}, ada())
    expect(found(story)).toEqual(['lost-update'])
  })

  it('that were under way together may be unseen within the bound, and not beyond it', () => {
    const story = new Story()
    story.tell('add', { item: 'v1.0' }, { began: 10, ended: 20, seen: { cart: ['v1.0'] } })
    story.tell('add', { item: 'v1.1' }, { began: 11, ended: 30, seen: { cart: ['v1.1'] } })
    story.tell('read', {}, { began: 500, seen: { cart: ['v1.1'] } })
    story.tell('read', {}, { began: 900, seen: { cart: ['v1.0', 'v1.1'] } })
    expect(found(story)).toEqual([])
    const late = new Story()
    late.operations.push(...story.operations.slice(0, 2))
    late.tell('read', {}, { began: 1_100, seen: { cart: ['v1.1'] } })
    expect(found(late)).toContain('lost-update')
  })

  it('that a store forgot are excused by that, unless replicas had them', () => {
    const story = (run: object): Story => {
      const told = new Story(run).broken({ sort: 'failover' })
      told.tell('add', { item: 'v1.0' }, { seen: { cart: ['v1.0'] } })
      told.tell('read', {})
      return told
    }
    expect(new Set(found(story({})))).toEqual(new Set(['lost-update (excused)', 'going-back (excused)']))
    expect(found(story({ durability: 'replicated' }))).toContain('lost-update')
  })

  it('that were counted at once may be seen one by one within the bound', () => {
    const story = new Story()
    story.tell('count', {}, { began: 10, ended: 30, seen: { count: 2 } })
    story.tell('count', {}, { began: 11, ended: 40, seen: { count: 1 } })
    story.tell('read', {}, { began: 500, seen: { count: 1 } })
    expect(found(story)).toEqual([])
    story.tell('read', {}, { began: 1_500, seen: { count: 1 } })
    expect(found(story).toSorted()).toEqual(['going-back', 'lost-update'])
  })

  it('of before a store forgot excuse too low a count after it', () => {
    const story = new Story().broken({ sort: 'forgets', began: 100, ended: 200 })
    story.tell('count', {}, { seen: { count: 1 } })
    story.tell('count', {}, { began: 10_000, seen: { count: 1 } })
    story.tell('read', {}, { seen: { count: 1 } })
    expect(found(story)).toEqual(['lost-update (excused)'])
  })

  it('that are acknowledged without a session to keep them are lost at once, whatever a store forgot', () => {
    for (const kind of ['add', 'mark', 'count'] as const) {
      const story = new Story().broken({ sort: 'forgets', ended: 200 })
      story.tell('read', {})
      story.tell(kind, { item: 'v1.0', mark: 1 }, { began: 20_000, seen: { handle: null, cart: ['v1.0'] } })
      expect(found(story)).toEqual(['lost-update'])
    }
  })

  it('are not lost where the session ended, or was signed in to, and the browser had not heard of it', () => {
    const dropped = { seen: { handle: null, cart: ['v1.1'] } }
    const overtaken = new Story()
    overtaken.tell('sign-in', { user: 'ada' }, { visit: 'v1-2', began: 10, ended: 30, seen: { user: 'ada' } })
    overtaken.tell('add', { item: 'v1.1' }, { ...dropped, began: 25 })
    const unheard = new Story().broken({ sort: 'outage' })
    unheard.tell('sign-in', { user: 'ada' }, { ...V2, outcome: 'unknown', status: 0, seen: undefined })
    unheard.tell('add', { item: 'v1.1' }, dropped)
    const ended = new Story()
    ended.signIn()
    ended.tell(
      'sign-out',
      { user: 'ada', everywhere: false },
      { ...V2, began: 100, ended: 120, seen: { handle: null } },
    )
    ended.tell('mark', { mark: 1 }, ada({ handle: null }, { began: 110, ended: 115 }))
    expect([...found(overtaken), ...found(unheard), ...found(ended)]).toEqual([])
    // It has heard of a later one.
    unheard.signIn('v1-3')
    unheard.tell('add', { item: 'v1.2' }, { visit: 'v1-3', seen: { user: 'ada', handle: null } })
    expect(found(unheard)).toContain('lost-update')
  })

  it('are excused while a guest’s id is so young that a server may be behind the store, over Redis', () => {
    const story = (began: number, store: 'redis' | 'lmdb' = 'redis'): Story => {
      const told = new Story({ store }).broken({ sort: 'failover', began: 50, ended: 100 })
      told.tell('add', { item: 'v1.0' }, { seen: { cart: ['v1.0'] } })
      told.tell('add', { item: 'v1.1' }, { began, seen: { handle: null } })
      return told
    }
    expect(found(story(10_000))).toEqual(['lost-update (excused)'])
    expect([found(story(20_000)), found(story(10_000, 'lmdb'))]).toEqual([['lost-update'], ['lost-update']])
  })

  it('are excused where an older cookie came after a store forgot, with which the session went on', () => {
    const story = (replayed: number): Story => {
      const told = new Story().broken({ sort: 'forgets', began: 100, ended: 200 })
      told.tell('read', {})
      told.tell('renew', {})
      told.tell('replay', { of: 1, because: 'renewed' }, { began: replayed })
      told.tell('add', { item: 'v1.0' }, { began: 20_000, seen: { handle: null } })
      return told
    }
    expect(found(story(300))).toEqual(['lost-update (excused)'])
    expect(found(story(50))).toEqual(['lost-update'])
  })

  it('that were counted after a store forgot are not excused by it', () => {
    const story = new Story().broken({ sort: 'forgets', began: 100, ended: 200 })
    story.tell('count', {}, { seen: { count: 1 } })
    story.tell('count', {}, { began: 10_000, seen: { count: 1 } })
    story.tell('count', {}, { seen: { count: 2 } })
    story.tell('read', {}, { seen: { count: 2 } })
    expect(found(story)).toEqual(['lost-update (excused)'])
    story.tell('count', {}, { seen: { count: 2 } })
    story.tell('read', {}, { seen: { count: 2 } })
    expect(found(story)).toEqual(['lost-update'])
  })

  it('are not counted twice', () => {
    const story = new Story()
    story.tell('count', {}, { seen: { count: 2 } })
    expect(found(story)).toEqual(['doubled-increment'])
    const unknown = new Story().broken({ sort: 'server' })
    unknown.tell('count', {}, { outcome: 'unknown', status: 0, seen: undefined })
    unknown.tell('count', {}, { seen: { count: 2 } })
    expect(found(unknown)).toEqual([])
  })

  it('of others that were shown are not shown older', () => {
    const story = new Story()
    story.tell('read', {}, { seen: { mark: 7 } })
    story.tell('read', {}, { seen: { mark: 6 } })
    expect(found(story)).toEqual(['going-back'])
    const together = new Story()
    together.tell('read', {}, { began: 10, ended: 30, seen: { mark: 7 } })
    together.tell('read', {}, { began: 20, ended: 40, seen: { mark: 6 } })
    expect(found(together)).toEqual([])
  })
})

describe('ends', () => {
  const signedOut = (told: Told = {}, everywhere = false): Story => {
    const story = new Story()
    story.signIn()
    story.tell('sign-out', { user: 'ada', everywhere }, { ...V2, seen: { owner: null }, ...told })
    return story
  }

  it('are final after the bound', () => {
    const story = signedOut()
    story.tell('replay', { of: 1, because: 'ended' }, ada({}, { began: 500 }))
    expect(found(story)).toEqual([])
    story.tell('replay', { of: 1, because: 'ended' }, ada({}, { began: 1_500 }))
    expect(found(story)).toEqual(['alive-after-end'])
  })

  it('that nobody has acknowledged may have happened or not', () => {
    const story = signedOut({ outcome: 'unknown', status: 0 }).broken({ sort: 'server' })
    story.tell('read', {}, ada({}, { began: 1_500 }))
    story.tell('read', {}, { ...V2, seen: { owner: null } })
    expect(found(story)).toEqual([])
  })

  it('everywhere reach the user’s other visits from before, and none from after', () => {
    const story = new Story()
    story.signIn()
    story.signIn('v2-2')
    story.tell('sign-out', { user: 'ada', everywhere: true }, { ...V2, seen: { owner: null } })
    story.signIn('v3-2')
    story.tell('read', {}, { visit: 'v3-2', began: 1_500, seen: { user: 'ada' } })
    story.tell('read', {}, { visit: 'v2-2', began: 1_500, seen: { owner: null } })
    expect(found(story)).toEqual([])
    story.tell('read', {}, { visit: 'v2-2', began: 1_600, seen: { user: 'ada' } })
    expect(found(story)).toEqual(['alive-after-revocation'])
  })

  it('everywhere are nobody’s who was signed out before', () => {
    const story = new Story()
    story.signIn()
    story.signIn('v2-2')
    story.tell('sign-out', { user: 'ada', everywhere: true }, { ...V2, seen: { owner: null } })
    story.signIn('v3-2')
    // This one has not noticed yet.
    story.tell('sign-out', { user: 'ada', everywhere: true }, { visit: 'v2-2', seen: { owner: null } })
    story.tell('read', {}, { visit: 'v3-2', began: 1_500, seen: { user: 'ada' } })
    expect(found(story)).toEqual([])
  })

  it('are excused where the store forgot them, and where they were said not to be durable', () => {
    const story = (durable: boolean): Story => {
      const told = new Story({ durability: 'replicated' }).broken({ sort: 'failover' })
      told.signIn()
      told.tell('sign-out', { user: 'ada', everywhere: false }, { ...V2, durable, seen: { owner: null } })
      told.tell('replay', { of: 1, because: 'ended' }, ada({}, { began: 1_500 }))
      return told
    }
    expect(found(story(true))).toEqual(['alive-after-end'])
    expect(found(story(false))).toEqual(['alive-after-end (excused)'])
  })

  it('that replicas have are not excused by a fail-over, whatever the durability of changes', () => {
    const story = (said: Told): Story => {
      const told = signedOut(said).broken({ sort: 'failover' })
      told.tell('replay', { of: 1, because: 'ended' }, ada({}, { began: 1_500 }))
      return told
    }
    expect(found(story({}))).toEqual(['alive-after-end (excused)'])
    expect(found(story({ durable: true }))).toEqual(['alive-after-end'])
  })

  it('that one of two replicas has are excused where the server is away that would make them again', () => {
    const story = (durability: 'primary' | 'replicated'): Story => {
      const told = new Story({ store: 'sentinel', durability }).broken({ sort: 'failover' })
      told.signIn()
      told.tell('sign-out', { user: 'ada', everywhere: false }, { ...V2, durable: true, seen: { owner: null } })
      told.tell('replay', { of: 1, because: 'ended' }, ada({}, { began: 1_500 }))
      return told
    }
    expect(found(story('primary'))).toEqual(['alive-after-end'])
    expect(found(story('primary').broken({ sort: 'kill' }))).toEqual(['alive-after-end (excused)'])
    expect(found(story('replicated').broken({ sort: 'kill' }))).toEqual(['alive-after-end'])
  })

  it('everywhere of which nobody knows are no excuse for what began when all had long been whole', () => {
    const story = new Story().broken({ sort: 'outage', began: 0, ended: 2_000 })
    story.signIn('v2-2')
    story.tell(
      'sign-out',
      { user: 'ada', everywhere: true },
      { visit: 'v2-2', outcome: 'unknown', status: 0, seen: undefined },
    )
    story.wait(1_000).signIn()
    story.tell('read', {}, { ...V2, seen: { owner: null } })
    expect(found(story)).toEqual([])
    story.wait(20_000).signIn('v1-3')
    story.tell('read', {}, { visit: 'v1-3', seen: { owner: null } })
    expect(found(story)).toEqual(['logged-out'])
  })

  it('that were forgotten do not hide one that was not', () => {
    const story = new Story().broken({ sort: 'failover', began: 30, ended: 100 })
    story.signIn()
    story.tell('sign-out', { user: 'ada', everywhere: false }, { ...V2, seen: { owner: null } })
    story.tell('replay', { of: 1, because: 'ended' }, ada({}, { began: 1_500 }))
    expect(found(story)).toEqual(['alive-after-end (excused)'])
    story.tell('sign-out', { user: 'ada', everywhere: false }, { ...V2, began: 9_000, seen: { owner: null } })
    story.tell('replay', { of: 3, because: 'ended' }, ada({}, { began: 12_000 }))
    expect(found(story)).toEqual(['alive-after-end'])
  })

  it('drop a change that meets them, though its answer shows it', () => {
    const story = new Story()
    story.signIn()
    story.signIn('v2-2')
    story.tell('sign-out', { user: 'ada', everywhere: true }, { visit: 'v2-2', seen: { owner: null } })
    story.tell('add', { item: 'v1.0' }, ada({ cart: ['v1.0'] }))
    story.tell('read', {}, ada())
    expect(found(story)).toEqual([])
  })

  it('are the only way to be logged out', () => {
    const story = new Story()
    story.signIn()
    story.tell('read', {}, { ...V2, seen: { owner: null } })
    expect(found(story)).toEqual(['logged-out'])
    const emptied = new Story().broken({ sort: 'forgets' })
    emptied.operations.push(...story.operations)
    expect(found(emptied)).toEqual(['logged-out (excused)'])
  })

  it('by a store that forgot excuse nothing once the session was served after it', () => {
    const story = new Story().broken({ sort: 'forgets', began: 100, ended: 200 })
    story.signIn()
    story.tell('read', {}, ada({}, { began: 10_000 }))
    story.tell('read', {}, { ...V2, seen: { owner: null } })
    expect(found(story)).toEqual(['logged-out'])
  })
})

describe('identities', () => {
  it('are of users who have signed in there', () => {
    const story = new Story()
    story.signIn()
    story.tell('read', {}, ada({ owner: null }))
    expect(found(story)).not.toContain('another-visitor')
    story.tell('read', {}, { ...V2, seen: { user: 'bob', owner: null } })
    expect(found(story)).toContain('another-visitor')
  })

  it('are not mixed up', () => {
    const owner = new Story()
    owner.tell('read', {}, { seen: { owner: 'v2-1', handle: 'another' } })
    expect(found(owner)).toEqual(['another-visitor'])
    const cart = new Story()
    cart.tell('read', {}, { seen: { cart: ['v2.0'] } })
    expect(found(cart)).toEqual(['another-visitor'])
  })

  it('do not share a session', () => {
    const story = new Story()
    story.signIn()
    story.tell('read', {}, ada({ handle: 'one' }))
    story.tell('read', {}, { visit: 'v1-3', seen: { user: 'ada', handle: 'one' } })
    expect(found(story)).toEqual(['shared-session'])
    const guest = new Story()
    guest.tell('read', {}, { seen: { handle: 'one' } })
    guest.tell('read', {}, { visit: 'v1-2', seen: { handle: 'one' } })
    expect(found(guest)).toEqual([])
  })

  it('do not share a session with another browser where a store that forgot has given it to one twice', () => {
    const story = new Story().broken({ sort: 'forgets', began: 40, ended: 50 })
    story.signIn()
    story.tell('read', {}, ada({ handle: 'one' }))
    story.signIn('v1-3')
    story.tell('read', {}, { visit: 'v1-3', seen: { user: 'ada', handle: 'one' } })
    expect(found(story)).toEqual(['shared-session (excused)'])
    story.signIn('v2-2')
    story.tell('read', {}, { visit: 'v2-2', seen: { user: 'ada', handle: 'one' } })
    expect(found(story)).toEqual(['shared-session (excused)', 'shared-session'])
  })

  it('of before a sign-in reach nothing', () => {
    const story = new Story()
    story.signIn()
    story.tell('replay', { of: 0, because: 'signed in' }, { ...V2, seen: { owner: 'v1-1', handle: 'guest' } })
    expect(found(story)).toEqual([])
    story.tell('replay', { of: 0, because: 'signed in' }, ada())
    expect(found(story)).toEqual(['old-id-accepted'])
    story.broken({ sort: 'outage' })
    expect(found(story)).toEqual(['old-id-accepted'])
    story.broken({ sort: 'failover' })
    expect(found(story)).toEqual(['old-id-accepted (excused)'])
  })

  it('of before a renewal serve within their grace, and not after it', () => {
    const story = new Story()
    story.signIn()
    story.tell('renew', {}, ada())
    story.tell('read', {}, ada())
    story.tell('replay', { of: 1, because: 'renewed' }, ada({}, { began: 1_000 }))
    story.tell('replay', { of: 1, because: 'renewed' }, { ...V2, began: 5_000, seen: { owner: null } })
    expect(found(story)).toEqual([])
    story.tell('replay', { of: 1, because: 'renewed' }, { ...V2, began: 1_100, seen: { owner: null } })
    story.tell('replay', { of: 1, because: 'renewed' }, ada({}, { began: 5_100 }))
    expect(found(story).toSorted()).toEqual(['old-id-accepted', 'renewed-id-refused'])
  })

  it('of before a renewal may serve for longer where a store that failed has put the beginning of the grace off', () => {
    const story = new Story().broken({ sort: 'outage', began: 1_000, ended: 2_000 })
    story.signIn()
    story.tell('renew', {}, ada())
    story.tell('read', {}, ada())
    story.tell('replay', { of: 1, because: 'renewed' }, ada({}, { began: 5_100 }))
    expect(found(story)).toEqual([])
  })
})

describe('cycles', () => {
  const bought = (effects: readonly string[], result = 'c by A'): Story => {
    const story = new Story()
    story.tell('begin', { cycle: 'c' })
    story.tell('finish', { cycle: 'c' }, { result })
    for (const server of effects) story.effects.push({ cycle: 'c', idempotencyKey: 'k', server })
    return story
  }

  it('end once, with the result that is told', () => {
    expect(found(bought(['A']))).toEqual([])
    expect(found(bought(['A', 'B']))).toEqual(['effect-twice'])
    expect(found(bought([]))).toEqual(['effect-missing'])
    expect(found(bought(['B']))).toEqual(['effect-missing'])
  })
})

describe('duplicates of an end', () => {
  it('are busy while another one is there, and not alone', () => {
    const busy: Told = { outcome: 'refused', status: 503, code: 'ERR_CYCLE_BUSY', seen: undefined }
    const story = new Story()
    story.tell('finish', { cycle: 'c' }, busy)
    expect(found(story)).toEqual(['undue-error'])
    story.tell('finish', { cycle: 'c' }, { began: 15, result: 'c by A' })
    story.effects.push({ cycle: 'c', idempotencyKey: 'k', server: 'A' })
    expect(found(story)).toEqual([])
  })

  it('that each had an effect, because the claim was forgotten, are excused as one', () => {
    const story = new Story().broken({ sort: 'forgets' })
    for (const server of ['A', 'B']) {
      story.tell('finish', { cycle: 'c' }, { result: `c by ${server}` })
      story.effects.push({ cycle: 'c', idempotencyKey: 'k', server })
    }
    expect(found(story)).toEqual(['effect-twice (excused)'])
  })
})

describe('an end that nobody has an answer to', () => {
  it('is excused by what a store forgets until it must have happened, and by nothing later', () => {
    const story = (began: number): Story => {
      const told = new Story()
        .broken({ sort: 'outage', began: 0, ended: 100 })
        .broken({ sort: 'forgets', began, ended: began + 100 })
      told.tell('finish', { cycle: 'c' }, { outcome: 'unknown', status: 0, seen: undefined })
      told.effects.push(...['A', 'B'].map((server) => ({ cycle: 'c', idempotencyKey: 'k', server })))
      return told
    }
    expect(found(story(3_000))).toEqual(['effect-twice (excused)'])
    expect(found(story(30_000))).toEqual(['effect-twice'])
  })
})

describe('forms', () => {
  it('are not excused by what a store forgot before the session was served again', () => {
    const story = new Story().broken({ sort: 'forgets', began: 100, ended: 200 })
    story.signIn()
    story.tell('form', {}, ada({}, { began: 10_000 }))
    story.tell('submit', { form: 'genuine' }, ada({}, { outcome: 'refused', status: 403 }))
    expect(found(story)).toEqual(['form-refused'])
    const early = new Story().broken({ sort: 'forgets', began: 100, ended: 200 })
    early.signIn()
    early.tell('submit', { form: 'genuine' }, ada({}, { began: 250, outcome: 'refused', status: 403 }))
    expect(found(early)).toEqual(['form-refused (excused)'])
  })

  it('that were given are taken as long as the visit lasts', () => {
    const story = new Story()
    story.signIn()
    story.tell('submit', { form: 'genuine' }, ada({}, { outcome: 'refused', status: 403 }))
    expect(found(story)).toEqual(['form-refused'])
    const ended = new Story()
    ended.signIn()
    ended.tell('sign-out', { user: 'ada', everywhere: true }, { ...V2, visit: 'v2-2', seen: { owner: null } })
    ended.tell('submit', { form: 'genuine' }, { ...V2, outcome: 'refused', status: 403, seen: undefined })
    expect(found(ended)).toEqual([])
  })

  it('that are forged are refused', () => {
    const story = new Story()
    story.tell('submit', { form: 'from another site' }, { outcome: 'refused', status: 403, seen: undefined })
    expect(found(story)).toEqual([])
    story.tell('submit', { form: 'from another site' })
    expect(found(story)).toEqual(['forgery-accepted'])
  })
})

describe('answers', () => {
  it('are missing where a server has ended by itself, whatever is broken', () => {
    const story = new Story().broken({ sort: 'unwritable' }).report(ENDED, { code: null, signal: 'SIGBUS' }, 20)
    story.tell('read', {})
    expect(found(story)).toEqual(['undue-error'])
    expect(check(story.history)[0]?.text).toBe('Server A ended by itself (SIGBUS).')
  })

  it('are errors only while something is broken, and a little after', () => {
    const story = new Story()
    story.tell('read', {}, { began: 10_000, outcome: 'refused', status: 503, seen: undefined })
    expect(found(story)).toEqual(['undue-error'])
    story.broken({ sort: 'outage', began: 8_000, ended: 9_000 })
    expect(found(story)).toEqual([])
    story.tell('read', {}, { began: 20_000, outcome: 'refused', status: 0, seen: undefined })
    expect(found(story)).toEqual(['undue-error'])
  })

  it('go on for who only reads, while the store takes no changes', () => {
    const story = new Story().broken({ sort: 'unwritable' })
    story.tell('add', { item: 'v1.0' }, { outcome: 'refused', status: 503, seen: undefined })
    expect(found(story)).toEqual([])
    story.tell('read', {}, { outcome: 'refused', status: 503, seen: undefined })
    expect(found(story)).toEqual(['undue-error'])
  })

  it('that say that the request was wrong are excused by nothing but a session that is over', () => {
    const story = (sort: 'outage' | 'forgets'): Story => {
      const told = new Story().broken({ sort })
      told.signIn()
      told.tell('count', {}, { ...V2, outcome: 'refused', status: 401, code: 'ERR_SESSION_ENDED', seen: undefined })
      return told
    }
    expect(found(story('outage'))).toEqual(['undue-error'])
    expect(found(story('forgets'))).toEqual([])
  })

  it('come in time, with a store that is away too', () => {
    const story = new Story().broken({ sort: 'outage' })
    story.tell('read', {}, { began: 10, ended: 4_000 })
    expect(found(story)).toEqual(['late-answer'])
    const standing = new Story().broken({ sort: 'server' })
    standing.operations.push(...story.operations)
    expect(found(standing)).toEqual([])
  })

  it('come from both servers alike, while both are there', () => {
    const told = (share: number): Story => {
      const story = new Story()
      for (let at = 0; at < 400; at++) story.tell('read', {}, { server: at % 100 < share ? 'A#1' : 'B#1' })
      return story
    }
    expect(found(told(52))).toEqual([])
    expect(found(told(70))).toEqual(['unequal-share'])
  })
})
