/**
 * Tells programmers of what should be written otherwise, as the package depd does for express-session: once for each
 * place of the application that it comes from, and not at all with `NO_DEPRECATION=express-session`, `NO_DEPRECATION=*`
 * or `--no-deprecation`. Listeners for the process's event 'deprecation' get it instead of the error output.
 */
import path from 'node:path'

const NAMESPACE = 'express-session'
/** This folder, as stacks name it. */
const HERE = /[\\/]compat[\\/]express-session[\\/]/

const said = new Set<string>()

export function deprecate(message: string): void {
  if (isSilent()) return
  const error = new Error(message)
  const place = callerIn(error.stack ?? '')
  const line = `${NAMESPACE} deprecated ${message}${place === undefined ? '' : ` at ${place}`}`
  if (said.has(line)) return
  said.add(line)
  // Typed by nobody, because it is depd's own event.
  const events = process as NodeJS.EventEmitter
  if (events.listenerCount('deprecation') > 0)
    events.emit('deprecation', Object.assign(error, { name: 'DeprecationError', namespace: NAMESPACE }))
  else process.stderr.write(`${new Date().toUTCString()} ${line}\n`)
}

function isSilent(): boolean {
  const { noDeprecation } = process as { noDeprecation?: boolean }
  const silenced = process.env['NO_DEPRECATION']?.split(/[ ,]+/) ?? []
  return noDeprecation === true || silenced.some((name) => name === '*' || name.toLowerCase() === NAMESPACE)
}

/** The application's line that led here. */
function callerIn(stack: string): string | undefined {
  const frame = stack
    .split('\n')
    .slice(1)
    .find((line) => !HERE.test(line) && /:\d+:\d+\)?$/.test(line))
  const [, file, where] = /\(?((?:file:\/\/)?[^\s()]*):(\d+:\d+)\)?$/.exec(frame ?? '') ?? []
  if (file === undefined) return undefined
  return `${path.relative('', file.replace(/^file:\/\//, ''))}:${where}`
}
