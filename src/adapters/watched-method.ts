/**
 * What only reads is not checked for forgery, and neither is an exempt route. A middleware that lets a field of the URL
 * or a header say which method is meant (`_method`, `X-HTTP-Method-Override`) would make of such a request one that
 * changes something, behind the check. So whoever assigns `request.method` has it checked as what it becomes.
 */
import type { IncomingMessage } from 'node:http'
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
  if (METHOD in request) return
  ;(request as Watched)[METHOD] = method
  Object.defineProperty(request, 'method', WATCHED)
}
