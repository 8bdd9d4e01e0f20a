/** Whose turn it is, in one world: strictly the server that did not answer last. */
import { otherServer, type ServerName, type World } from '../worlds.ts'

export class Turns {
  readonly #pins: boolean
  #next: ServerName = 'A'

  constructor(world: Pick<World, 'balancing'>) {
    this.#pins = world.balancing === 'pins'
  }

  /** The servers to try, in order. `pinned`: the one that the visitor's cookie names. */
  order(pinned?: ServerName): readonly [ServerName, ServerName] {
    const first = (this.#pins ? pinned : undefined) ?? this.#next
    return [first, otherServer(first)]
  }

  /** To be called with the server that took the request. */
  took(name: ServerName): void {
    this.#next = otherServer(name)
  }
}
