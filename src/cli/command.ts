/** What a command is, and how it reads what it was given. */
import { parseArgs } from 'node:util'

/** Where a command runs: all that it may see of its process. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Runs with the arguments that follow its name. A `UsageError` is exit code 2, any other error 1. */
export type Command = (args: readonly string[], surroundings: Surroundings) => void | Promise<void>

/** The command was called wrongly; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** An option of a command, and its line in the command's help. */
export interface Option {
  /** What stands for its value there; without one it is a flag. */
  readonly value?: string
  readonly help: string
  /** May be given several times. */
  readonly multiple?: boolean
}

/** What was given, by option; a list where an option may be given several times. */
export type Given = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

/** Reads the options. Throws `UsageError` for one that is unknown, has no value where it needs one, or stands alone. */
export function readOptions(args: readonly string[], options: Readonly<Record<string, Option>>): Given {
  const known = Object.entries(options).map(([name, { value, multiple = false }]) => {
    return [name, { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple }] as const
  })
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(known), allowPositionals: false }).values
  } catch (error) {
    if (error instanceof TypeError && 'code' in error) throw new UsageError(complaint(error))
    throw error
  }
}

/** The lines of a help text: the option, what it takes, what it is for. */
export function optionLines(options: Readonly<Record<string, Option>>): string {
  const left = Object.entries(options).map(([name, { value }]) => `--${name}${value === undefined ? '' : ` ${value}`}`)
  const width = Math.max(...left.map(({ length }) => length))
  return Object.values(options)
    .map(({ help }, at) => `  ${(left[at] ?? '').padEnd(width)}  ${help}`)
    .join('\n')
}

/** Node's own words, without its advice on positional arguments. */
function complaint({ message }: Error): string {
  const first = message.split(/\.\s|\n/, 1)[0] ?? message
  return `${first.replace(/\.$/, '')}.`
}
