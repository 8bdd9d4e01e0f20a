/**
 * From one mould a copy of the same data is made for each request that asks for them, and is compared with them before the
 * answer leaves. What can be known beforehand is: which objects and lists the data consist of, and their members. So
 * neither needs a look at any object's kind, and most comparisons end at the first glance.
 */

/** Objects and lists beyond these are copied and compared in the ordinary way. */
const PLACES_MOST = 256

type Members = Record<string, unknown>

/** One object or list within the data. */
class Place {
  readonly original: object
  /** Where its copy goes: in the copy of which place, as which member. */
  readonly parent: number
  readonly key: string
  /** The members' names; a list has none. */
  readonly keys: readonly string[] | undefined
  readonly members: readonly unknown[]
  /** For each member the place that it is; -1: it is no object. */
  readonly places: number[]

  constructor(original: object, parent: number, key: string) {
    this.original = original
    this.parent = parent
    this.key = key
    this.keys = Array.isArray(original) ? undefined : Object.keys(original)
    this.members = Array.isArray(original) ? original : Object.values(original)
    this.places = this.members.map(() => -1)
  }
}

export class Mould {
  readonly #places: readonly Place[]

  /** The mould of what `decode` answered; `undefined` where there is more in it than objects and lists, or too much. */
  static of(data: object): Mould | undefined {
    const places = [new Place(data, -1, '')]
    for (let at = 0; at < places.length; at++) {
      const { members, keys, places: of } = places[at] as Place
      for (let member = 0; member < members.length; member++) {
        const value = members[member]
        if (typeof value !== 'object' || value === null) continue
        if (places.length >= PLACES_MOST || !isPlain(value)) return undefined
        of[member] = places.length
        places.push(new Place(value, at, keys?.[member] ?? String(member)))
      }
    }
    return new Mould(places)
  }

  private constructor(places: readonly Place[]) {
    this.#places = places
  }

  /** The copies of all places; the first is that of the data. */
  cast(): readonly object[] {
    const copies: object[] = []
    for (const { original, parent, key } of this.#places) {
      const copy: object = Array.isArray(original) ? original.slice() : { ...original }
      // What is spread are own data properties, so this reaches no prototype, not even for `__proto__`.
      if (parent >= 0) (copies[parent] as Members)[key] = copy
      copies.push(copy)
    }
    return copies
  }

  /** Whether copies are surely as they were cast. Where it answers `false` they may still be equal to the data. */
  fits(copies: readonly object[]): boolean {
    for (let at = 0; at < copies.length; at++) if (!isAsCast(this.#places[at] as Place, copies, at)) return false
    return true
  }
}

/** The order of members does not count. */
function isAsCast({ keys, members, places }: Place, copies: readonly object[], at: number): boolean {
  const copy = copies[at] as Members & unknown[]
  if ((keys === undefined ? copy : Object.keys(copy)).length !== members.length) return false
  for (let member = 0; member < members.length; member++) {
    const value = keys === undefined ? copy[member] : copy[keys[member] as string]
    const place = places[member] as number
    // The very copy that was put there is of its kind still, and is looked at in its turn.
    const was = place < 0 ? members[member] : copies[place]
    // A member that is `undefined` could have given its place to another.
    if (value !== was || value === undefined || (value === 0 && !Object.is(value, was))) return false
  }
  return true
}

function isPlain(value: object): boolean {
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}
