/** Made-up visits: what an application does with sessions, and what a browser sends. */
import fc from 'fast-check'

/** One step of a handler. Those that take a callback go on in it. */
export type Step =
  | { readonly do: 'set'; readonly key: string; readonly value: number }
  | { readonly do: 'remove'; readonly key: string }
  | { readonly do: 'age'; readonly maxAge: number | null }
  | { readonly do: 'id'; readonly value: string | number }
  | { readonly do: 'header' | 'head' | 'write' }
  | { readonly do: 'save' | 'reload' | 'destroy' | 'regenerate' | 'touch' | 'generate' | 'null' | 'delete' | 'wait' }

export interface Visit {
  /** What the browser sends: its cookie, none, or one that is not good. */
  readonly brings: 'own' | 'none' | 'forged' | 'unknown' | 'first'
  readonly secure: boolean
  readonly path: string
  readonly steps: readonly Step[]
}

export interface Script {
  readonly options: Readonly<Record<string, unknown>>
  readonly cookie: Readonly<Record<string, unknown>>
  readonly store: 'memory' | 'synchronous' | 'without touch'
  /** What fails at the store, and in which visit. By call it could not be said: the original makes some of them twice. */
  readonly failing: readonly { readonly visit: number; readonly method: string }[]
  readonly visits: readonly Visit[]
}

const key = fc.constantFrom('a', 'b')

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('set'), key, value: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove'), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('age'), maxAge: fc.constantFrom(null, 100_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('id'), value: fc.constantFrom('chosen', 7) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('save', 'reload', 'destroy', 'regenerate', 'touch', 'generate', 'null', 'delete', 'wait'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('header', 'head') }) },
) as fc.Arbitrary<Step>

/** A response that begins before its handler is done, in the same turn: its last steps go on without waiting. */
const beginsEarly: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ do: fc.constant('set' as const), key, value: fc.integer({ min: 0, max: 2 }) }),
  { maxLength: 2 },
)

const visit: fc.Arbitrary<Visit> = fc.record({
  brings: fc.constantFrom('own', 'own', 'own', 'own', 'none', 'forged', 'unknown', 'first'),
  secure: fc.boolean(),
  path: fc.constantFrom('/', '/admin', '/administrator'),
  steps: fc
    .tuple(fc.array(step, { maxLength: 4 }), fc.option(beginsEarly, { nil: undefined, freq: 4 }))
    .map(([steps, early]) => (early === undefined ? steps : [...steps, { do: 'write' } as const, ...early])),
})

const maybe = <Value>(...values: Value[]): fc.Arbitrary<Value | undefined> => fc.constantFrom(undefined, ...values)

export const script: fc.Arbitrary<Script> = fc.record({
  options: fc.record({
    resave: fc.boolean(),
    saveUninitialized: fc.boolean(),
    rolling: fc.boolean(),
    unset: maybe('keep', 'destroy'),
    proxy: maybe(true, false),
  }),
  cookie: fc.record(
    {
      maxAge: fc.constantFrom(null, 60_000),
      secure: fc.constantFrom(true, false, 'auto'),
      sameSite: fc.constantFrom(true, 'lax', 'auto', 'none'),
      path: fc.constantFrom('/', '/admin'),
      httpOnly: fc.boolean(),
      domain: fc.constant('shop.example'),
    },
    { requiredKeys: [] },
  ),
  store: fc.constantFrom('memory', 'memory', 'synchronous', 'without touch'),
  failing: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.array(
      fc.record({ visit: fc.integer({ min: 0, max: 4 }), method: fc.constantFrom('get', 'set', 'destroy', 'touch') }),
      { maxLength: 2 },
    ),
  ),
  visits: fc.array(visit, { minLength: 1, maxLength: 6 }),
})
