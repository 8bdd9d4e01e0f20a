import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { judgeOrigin, normaliseOrigin, type Site } from '../../src/csrf/origin.ts'
import { post } from './fixtures.ts'

const RUNS = { numRuns: 10_000 }
const METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY', 'post', 'X']

const text = fc.oneof(
  fc.constantFrom(
    'same-origin',
    'same-site',
    'cross-site',
    'none',
    'null',
    '',
    ',',
    'https://shop.example',
    'https://evil.example',
    'shop.example',
    'about:blank',
    'https',
  ),
  fc.webUrl(),
  fc.string({ unit: 'binary' }),
)
const value = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 1, arbitrary: fc.array(text) },
  { weight: 2, arbitrary: fc.constant(undefined) },
)
const headers = fc.record({
  host: value,
  origin: value,
  referer: value,
  'sec-fetch-site': value,
  'x-forwarded-host': value,
  'x-forwarded-proto': value,
})
const site: fc.Arbitrary<Site> = fc.record({
  own: fc.constantFrom(undefined, 'https://shop.example'),
  trusted: fc.array(text, { maxLength: 3 }),
  trustProxy: fc.boolean(),
})

/** Hosts, ports and schemes that are not the shop's, many of them near misses. */
const foreign = fc.oneof(
  fc
    .webUrl({ withQueryParameters: true })
    .map((url) => new URL(url).origin)
    .filter((origin) => !origin.endsWith('//shop.example')),
  fc.constantFrom(
    'https://evil.example',
    'https://shop.example.evil.example',
    'https://evilshop.example',
    'https://sub.shop.example',
    'https://shop.example:444',
    'http://shop.example',
    'https://shop.example@evil.example',
    'https://evil.example/https://shop.example',
    'https://evil.example,https://shop.example',
    'https://shop.example, https://evil.example',
    'https://evil.example\\@shop.example',
    'https://shop.example%2eevil.example',
  ),
)
const oddSite = fc.oneof(
  fc.constantFrom(undefined, '', 'Same-Origin', 'NONE', 'same-origin, none', 'future-value'),
  fc.string().filter((word) => word !== 'same-origin' && word !== 'none'),
)

describe('whatever the headers are', () => {
  test('the verdict is one of four, and nothing throws', () => {
    fc.assert(
      fc.property(
        headers,
        site,
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom('GET', ...METHODS),
        (given, of, secure, upgrade, method) => {
          const judged = judgeOrigin(post(given, { secure, upgrade, method }), of)
          expect(upgrade ? ['proven', 'refused'] : ['safe', 'proven', 'none', 'refused']).toContain(judged.evidence)
          expect(judged.evidence === 'safe').toBe(method === 'GET' && !upgrade)
        },
      ),
      RUNS,
    )
  })

  test('what a browser calls same-site or cross-site is proven only by a trusted Origin', () => {
    fc.assert(
      fc.property(
        headers,
        site,
        fc.constantFrom('same-site', 'cross-site'),
        fc.constantFrom(...METHODS),
        (given, of, said, method) => {
          const { evidence } = judgeOrigin(post({ ...given, 'sec-fetch-site': said }, { method }), of)
          const origin = typeof given.origin === 'string' ? given.origin : given.origin?.join(', ')
          const trusted = of.trusted.some(
            (entry) => entry === origin || (normaliseOrigin(entry) ?? 1) === normaliseOrigin(origin ?? ''),
          )
          expect(evidence === 'proven' ? trusted : evidence === 'refused').toBe(true)
        },
      ),
      RUNS,
    )
  })

  test("another origin's page never proves anything, with the own origin configured or read from a TLS request", () => {
    const own = fc.constantFrom(undefined, 'https://shop.example')
    fc.assert(
      fc.property(
        foreign,
        oddSite,
        own,
        fc.boolean(),
        fc.constantFrom(...METHODS),
        (evil, said, of, byReferer, method) => {
          const from = byReferer
            ? { referer: `${evil}/page?https://shop.example/` }
            : { origin: evil, referer: 'https://shop.example/' }
          const { evidence } = judgeOrigin(post({ ...from, 'sec-fetch-site': said }, { method }), {
            own: of,
            trusted: [],
            trustProxy: false,
          })
          expect(evidence).toBe('refused')
        },
      ),
      RUNS,
    )
  })
})

test('an origin has one spelling: normalising twice is normalising once', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        fc.webUrl().map((url) => new URL(url).origin.toUpperCase()),
      ),
      (given) => {
        const once = normaliseOrigin(given)
        expect(once === undefined || normaliseOrigin(once) === once).toBe(true)
      },
    ),
    RUNS,
  )
})
