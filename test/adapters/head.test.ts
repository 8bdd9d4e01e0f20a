import { describe, expect, it } from 'vitest'

import { headWithCookies, privateCacheControl, isShared, privateHead } from '../../src/adapters/head.ts'
import { pathOf } from '../../src/adapters/facts.ts'

describe('Cache-Control of an answer with a cookie of ours', () => {
  it.each([
    ['', 'private'],
    ['public', 'private'],
    ['PUBLIC, max-age=60', 'private, max-age=60'],
    ['max-age=60, s-maxage=600, must-revalidate', 'private, max-age=60, must-revalidate'],
    ['no-cache', 'private, no-cache'],
    ['private="x-name"', 'private'],
    ['no-cache="set-cookie, x-other", public', 'private, no-cache="set-cookie, x-other"'],
    ['private', 'private'],
    ['Private, max-age=0', 'Private, max-age=0'],
    ['no-store', 'no-store'],
    ['no-cache, No-Store, must-revalidate', 'no-cache, No-Store, must-revalidate'],
    ['x-private, x-no-store', 'private, x-private, x-no-store'],
  ])("'%s' becomes '%s'", (given, expected) => {
    expect(privateCacheControl(given === '' ? [] : [given])).toBe(expected)
  })

  it('is judged over several headers', () => {
    expect(privateCacheControl(['public', 'no-store'])).toBe('public, no-store')
    expect(privateCacheControl(['public', 'max-age=1'])).toBe('private, max-age=1')
    expect(privateCacheControl([' private', '', ' max-age=1'])).toBe('private, max-age=1')
  })

  it.each([' private', 'private ', ', private', 'private,,'])("has no empty part left of '%s'", (given) => {
    expect(privateCacheControl([given])).toBe('private')
  })
})

describe('the finished head', () => {
  const head = 'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-Note: b: c\r\nCACHE-CONTROL: public\r\n\r\n'

  it('stays as it is where no cookie is added', () => {
    expect(headWithCookies(head, [])).toBe(head)
  })

  it('gets our cookies after the others', () => {
    expect(headWithCookies(head, ['b=2', 'c=3'])).toBe(
      'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-Note: b: c\r\nCache-Control: private\r\nSet-Cookie: b=2\r\nSet-Cookie: c=3\r\n\r\n',
    )
  })
})

describe('what lets caches give an answer to other visitors', () => {
  it.each(['public', 'PUBLIC', 'max-age=60', 's-maxage=1', 'no-cache, max-age="60"', 'max-age=0, s-maxage=60'])(
    '%s',
    (control) => {
      expect(isShared(control)).toBe(true)
    },
  )

  it.each([
    '',
    'private',
    'no-store',
    'public, private',
    'max-age=60, PRIVATE',
    'max-age=0',
    'no-cache',
    'x="public"',
    's-maxage=00',
  ])('not: %s', (control) => {
    expect(isShared(control)).toBe(false)
  })
})

describe('a head of a page with a token', () => {
  it('gets one Vary with what was there and Cookie', () => {
    expect(privateHead('HTTP/1.1 200 OK\r\nVary: Origin\r\nVary: Accept,\r\nX: 1\r\n\r\n', [], true)).toBe(
      'HTTP/1.1 200 OK\r\nX: 1\r\nCache-Control: private\r\nVary: Origin, Accept, Cookie\r\n\r\n',
    )
  })
})

describe('the path that the router sees', () => {
  it.each([
    ['/', '/'],
    ['/a/b?c=/d', '/a/b'],
    ['/a//b/../c', '/a//b/../c'],
    ['/%61', '/%61'],
    ['http://shop.example/a?b', '/a'],
    ['http://shop.example', '/'],
    ['*', '*'],
    ['', '/'],
    ['HTTPS://shop.example:443?x=/y', '/'],
    ['http://shop.example#/a', 'http://shop.example#/a'],
    ['http://shop.example\\/a', 'http://shop.example\\/a'],
    ['javascript://shop.example/a', 'javascript://shop.example/a'],
    ['//evil.example/a', '//evil.example/a'],
  ])('%s: %s', (url, path) => {
    expect(pathOf(url)).toBe(path)
  })
})
