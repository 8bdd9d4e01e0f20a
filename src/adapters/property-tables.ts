/**
 * Express gives each request and response another prototype. Before version 13 (Node 24), V8 takes a microsecond or two
 * for each property that is added to such an object, and Express, the middleware and node:http add some thirty: more than
 * half of what Express does. An object from which a property was deleted keeps its properties in a table, to which
 * adding is quick. `npm run bench -- --only anonymous --contenders 'express,express-holdfast-memory'` shows what it does.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'

const ADDS_SLOWLY = Number.parseInt(process.versions.v8, 10) < 13

/** Makes what is added to an Express request and its response from now on cost little. What they hold stays as it is. */
export function quickenAdding(request: IncomingMessage, response: ServerResponse): void {
  if (!ADDS_SLOWLY) return
  putBackLast(request, 'httpVersionMajor')
  putBackLast(response, 'sendDate')
}

/** Takes a property away and gives it back. */
function putBackLast<Target extends object>(target: Target, name: keyof Target): void {
  if (!Object.hasOwn(target, name)) return
  const value = target[name]
  delete target[name]
  target[name] = value
}
