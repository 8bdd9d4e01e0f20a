import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { escapeHtml, hiddenField } from '../../src/csrf/field.ts'
import { TOKEN_FIELD } from '../../src/csrf/presented.ts'
import { makeToken } from '../../src/csrf/token.ts'
import { keyring, random, user } from './fixtures.ts'

test('the field is a hidden input of the name that is looked for, with the token as it is', () => {
  const token = makeToken(keyring.active, random, user, { path: '/pay' })
  expect(hiddenField(token)).toBe(`<input type="hidden" name="${TOKEN_FIELD}" value="${token}">`)
})

test('what is no token cannot leave its attribute', () => {
  expect(hiddenField('"><script>')).toBe(`<input type="hidden" name="_csrf" value="&quot;&gt;&lt;script&gt;">`)
})

test('escaped text has no sign that ends a text, a tag or an attribute, and nothing else changes', () => {
  expect(escapeHtml('a & b < c > d " e \' f ` g é 😀')).toBe('a &amp; b &lt; c &gt; d &quot; e &#39; f &#96; g é 😀')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(escapeHtml(text)).not.toMatch(/[<>"'`\r]|&(?!(?:amp|lt|gt|quot|#39|#96|#13);)/)
    }),
    { numRuns: 10_000 },
  )
})
