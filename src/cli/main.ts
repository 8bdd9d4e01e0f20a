#!/usr/bin/env node
/** `npx holdfast <command>`: finds the command and runs it. Exit code 2 where it was called wrongly, 1 where it failed. */
import { createRequire } from 'node:module'

import { type Command, type Surroundings, UsageError } from './command.ts'

interface Entry {
  readonly summary: string
  readonly load: () => Promise<Command>
}

/** Every command: its line in the help, and its file, which is loaded when it is asked for. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  'redis-conf': {
    summary: 'prints a configuration for Redis: a primary, a replica, a Sentinel, a node of a cluster',
    load: async () => (await import('./redis-conf.ts')).redisConfCommand,
  },
}

await main(process.argv.slice(2), {
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
})

async function main([name, ...args]: readonly string[], surroundings: Surroundings): Promise<void> {
  if (name === '--help' || name === '-h') return surroundings.out(help())
  if (name === '--version') return surroundings.out(`${version()}\n`)
  try {
    await (
      await find(name)
    )(args, surroundings)
  } catch (error) {
    const called = name !== undefined && Object.hasOwn(COMMANDS, name) ? `holdfast ${name}` : 'holdfast'
    surroundings.err(`${called}: ${error instanceof Error ? error.message : String(error)}\n`)
    if (error instanceof UsageError) surroundings.err(`${called} --help says more.\n`)
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
}

function find(name: string | undefined): Promise<Command> {
  const entry = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (entry !== undefined) return entry.load()
  throw new UsageError(name === undefined ? 'Which command?' : `There is no command ${name}.`)
}

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map(({ length }) => length))
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return `Usage: holdfast <command> [options]\n\n${commands.join('\n')}\n\nholdfast <command> --help says more; holdfast --version, which this is.\n`
}

function version(): string {
  const manifest = createRequire(import.meta.url)('holdfast/package.json') as { version: string }
  return manifest.version
}
