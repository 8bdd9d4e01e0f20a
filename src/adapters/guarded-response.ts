/**
 * Responses that cannot be held: those of node:http2, which have another inside. Fastify settles before it writes
 * one, so nothing is lost; whatever else writes too early gets an error, and not a byte leaves (I5).
 */
import type { ServerResponse } from 'node:http'
import { HeadSentError } from '../errors.ts'
import { makePrivate } from './head.ts'
import type { SettlingVisit } from './held-response.ts'

const WRITING = ['writeHead', 'write', 'end', 'flushHeaders'] as const

/** Lets nothing be written before the visit is settled. */
export function guardResponse(response: ServerResponse, visit: SettlingVisit): void {
  for (const name of WRITING) {
    const write = response[name] as (...values: unknown[]) => unknown
    const guarded = function (this: ServerResponse, ...values: unknown[]): unknown {
      if (visit.unsettled) throw tooEarly()
      if (!visit.personal || response.headersSent) return write.apply(this, values)
      const others = values.filter((value) => !isHeaders(value, name))
      for (const headers of values.filter((value) => isHeaders(value, name)))
        for (const [header, value] of Object.entries(headers as object)) response.setHeader(header, value as string)
      makePrivate(response, (header, value) => response.setHeader(header, value), true)
      return write.apply(this, others)
    }
    Object.assign(response, { [name]: guarded })
  }
  response.on('close', () => visit.finish())
}

function isHeaders(value: unknown, method: string): boolean {
  return method === 'writeHead' && typeof value === 'object' && value !== null && !Array.isArray(value)
}

function tooEarly(): HeadSentError {
  return new HeadSentError(
    'A response over HTTP/2 cannot be held back until its session is saved: answer with reply.send() instead of reply.raw, or over HTTP/1.',
  )
}
