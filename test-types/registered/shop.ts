/** One application's sessions, with the registered type. */
import { createSessions, type Sessions } from 'holdfast'

export interface Item {
  readonly sku: string
  count: number
}

export interface Shop {
  cart: Item[]
  name?: string
  seen?: Date
}

declare module 'holdfast' {
  interface Register {
    data: Shop
  }
}

export const sessions: Sessions<Shop> = createSessions<Shop>({
  secret: 'a secret of at least thirty-two bytes',
  store: 'memory:',
  origin: 'https://shop.example',
  initial: () => ({ cart: [] }),
  idleTimeout: '30m',
  absoluteTimeout: '12h',
  renewalTimeout: '1h',
  csrf: 'auto',
})
