/** Action cycles: state and result are inferred, and any session of Holdfast will do. */
import type { Request } from 'express'
import { createSessions, HoldfastError, type Session } from 'holdfast'
import {
  CycleError,
  defineCycle,
  type Cycle,
  type CycleKind,
  type CycleSession,
  type StandardSchema,
} from 'holdfast/cycle'

interface Transfer {
  cents: number
  to?: string
}
interface Receipt {
  number: string
}
interface Shop {
  cart: string[]
}

declare const request: Request
declare const token: string | undefined
const shop = createSessions<Shop>({ name: 'shop', initial: () => ({ cart: [] }) })
const desk = createSessions({ name: 'desk' })

const transfer = defineCycle<Transfer, Receipt>('transfer', { steps: ['details'], lifetime: '1h', onDoubt: 'retry' })

export async function transferred(): Promise<string> {
  const cycle: Cycle<Transfer, Receipt> = await transfer.begin(shop.of(request), { cents: 5 })
  const cents: number = cycle.state.cents
  const step: string | undefined = cycle.step
  const result: Receipt | undefined = cycle.result
  await transfer.step(desk.of(request), cycle.token, (state) => {
    state.to = String(cents) + step + result?.number
  })
  await transfer.step(shop.of(request), token, (state) => ({ ...state, to: 'Bob' }), 'details')
  const done = await transfer.finish(shop.of(request), token, ({ state, idempotencyKey, signal, reopen }) => {
    if (signal.aborted) throw reopen('too late')
    return { number: `${state.to} ${idempotencyKey}` }
  })
  const repeated: boolean = done.repeated
  const listed: Cycle<Transfer, Receipt>[] = await transfer.list(desk.of(request))
  return `${done.result.number} ${repeated} ${listed.length} ${cycle.status satisfies 'open' | 'running' | 'done' | 'failed' | 'in-doubt'}`
}

export async function refused(): Promise<void> {
  // @ts-expect-error: a transfer has a state from its beginning on
  await transfer.begin(shop.of(request))
  // @ts-expect-error: and that one
  await transfer.begin(shop.of(request), { euros: 5 })
  // @ts-expect-error: a step is synchronous, because it may run again
  await transfer.step(shop.of(request), token, async (state) => ({ ...state }))
  // @ts-expect-error: the result is a receipt
  await transfer.finish(shop.of(request), token, () => 5)
  // @ts-expect-error: nothing but a session has cycles
  await transfer.list(request)
}

// Any session, whatever it holds; a function need not know more of it.
export function begun(session: CycleSession): Promise<Cycle<Transfer, Receipt>> {
  return transfer.begin(session, { cents: 1 })
}
declare const some: Session<Shop>
declare const other: Session<{ tickets: Map<string, bigint> }>
declare const plain: Session
for (const session of [some, other, plain]) void begun(session)

// Without a state nothing is needed; where there may be none, nothing need be given.
const signal = defineCycle('signal')
export const signalled: CycleKind<undefined, unknown> = signal
void signal.begin(some)
const late = defineCycle<Transfer | undefined, Receipt>('late')
void late.begin(some)
void late.begin(some, { cents: 1 })
void late.step(some, token, (state) => ({ cents: (state?.cents ?? 0) + 1 }))

// A schema says what the state is.
declare const schema: StandardSchema<Transfer>
const checked = defineCycle('checked', { schema })
void checked.begin(some, { cents: 1 })
// @ts-expect-error: as the schema has it
void checked.begin(some, { cents: 'one' })

// @ts-expect-error: no such option
defineCycle('a', { step: ['x'] })
// @ts-expect-error: a duration has a unit
defineCycle('a', { lease: '15' })
// @ts-expect-error: one of two
defineCycle('a', { onDoubt: 'perhaps' })

export function answered(error: unknown): string {
  if (!(error instanceof CycleError)) return ''
  const ours: HoldfastError = error
  const paths = error.issues.map(({ path }) => path?.length ?? 0)
  return error.code === 'ERR_CYCLE_IN_DOUBT' ? `${ours.status} ${error.idempotencyKey}` : `${error.expected} ${paths}`
}
