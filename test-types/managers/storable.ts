/** What `data` can be: all that comes back from the store as it went in, and nothing else. */
import { createSessions } from 'holdfast'

interface Everything {
  text?: string
  number?: number
  truth?: boolean
  nothing?: null
  big?: bigint
  when?: Date
  bytes?: Uint8Array
  list?: readonly { readonly name: string }[]
  pair?: [string, number]
  map?: Map<string, Date>
  set?: ReadonlySet<bigint>
  nested?: { readonly deep: { readonly deeper: 'a' | 'b' } }
  record?: Record<string, number | undefined>
}
type Union = { kind?: 'a'; a?: string } | { kind?: 'b'; b?: number }

createSessions<Everything>({})
createSessions<Union>({})
createSessions<Record<string, unknown>>({})

interface WithFunction {
  greet?: () => string
}
// @ts-expect-error: a function cannot be kept
createSessions<WithFunction>({})

interface WithFunctionWithin {
  list?: { readonly greet: (name: string) => string }[]
}
// @ts-expect-error: nor anywhere below
createSessions<WithFunctionWithin>({})

class Cart {
  readonly items: string[] = []
  add(item: string): void {
    this.items.push(item)
  }
}
interface WithInstance {
  cart?: Cart
}
// @ts-expect-error: an instance would come back without its methods
createSessions<WithInstance>({})
// @ts-expect-error: nor can it be the whole
createSessions<Cart>({ initial: () => new Cart() })

interface WithInstanceInMap {
  carts?: Map<string, Cart>
}
// @ts-expect-error: nor inside a map
createSessions<WithInstanceInMap>({})

interface WithSymbol {
  mark?: symbol
}
// @ts-expect-error: nor a symbol
createSessions<WithSymbol>({})

// @ts-expect-error: data is an object
createSessions<string>({})
