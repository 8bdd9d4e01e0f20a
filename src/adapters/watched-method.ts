/**
 * What only reads is not checked for forgery, and neither is an exempt route. A middleware that lets a field of the URL
 * or of the body, or a header, say which method is meant (`_method`, `X-HTTP-Method-Override`) would make of such a
 * request one that changes something, behind the check. So whoever assigns `request.method` has it checked as what it
 * becomes, wherever the request names such a method. Nearly none does, and an accessor makes all that follows on the
 * request slower: V8 goes over to looking its properties up in a dictionary.
 */
import { type IncomingMessage, METHODS } from 'node:http'
import { isSafe } from '../core/request.ts'
import { seenOf } from './seen.ts'

const METHOD: unique symbol = Symbol('holdfast.method')

interface Watched extends IncomingMessage {
  [METHOD]?: string | undefined
  readonly body?: unknown
}

/** One for all requests: what a request has of its own is its method. */
const WATCHED: PropertyDescriptor & ThisType<Watched> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[METHOD]
  },
  set(method: string) {
    for (const mounted of seenOf(this)?.all() ?? []) mounted.becomes(method, this.body)
    this[METHOD] = method
  },
}

/** From now on an assignment of the method throws `CsrfError` where it makes a request that would be refused. */
export function watchMethod(request: IncomingMessage): void {
  const { method } = request
  if (METHOD in request || !namesMethod(request)) return
  ;(request as Watched)[METHOD] = method
  Object.defineProperty(request, 'method', WATCHED)
}

const UNSAFE: ReadonlySet<string> = new Set(METHODS.filter((method) => !isSafe(method)))
const LONGEST = Math.max(...[...UNSAFE].map((method) => method.length))

/** One of these methods, in any case, or something that may hide one: an encoded character, or one beyond ASCII. */
const HAS_METHOD = new RegExp(`[%\\u0080-\\uffff]|${[...UNSAFE].join('|')}`, 'i')

/** Whether a method that changes something may be read out of the request: out of its URL, a header, or its body. */
function namesMethod({ url = '', headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0') return true
  if (HAS_METHOD.test(url)) return true
  for (const name in headers) {
    const value = headers[name]
    if (typeof value === 'string' && value.length <= LONGEST && UNSAFE.has(value.toUpperCase())) return true
  }
  return false
}
