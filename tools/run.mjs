/**
 * Runs one of the project's programs, such as `node tools/run.mjs proof/races/main --help`: brings the npm
 * packages, builds what is stale, then hands over. `--needs=redis-server,haproxy` before the name brings those too.
 */
import { pathToFileURL } from 'node:url'

import { build } from './build.mjs'
import { inProject, isProgram } from './project.mjs'
import { setUp } from './setup.mjs'

/**
 * The program runs in this very process, so that signals and the terminal reach it without a go-between.
 * @param {string} program its source, without the ending
 * @param {readonly string[]} args
 * @param {readonly import('./setup.mjs').Need[]} [needs]
 */
export async function runProgram(program, args, needs = []) {
  const problems = await setUp(['packages', ...needs])
  if (problems.length === 0) {
    const { ok, output } = await build()
    if (!ok) problems.push(`The build failed:\n${output}`)
  }
  if (problems.length > 0) {
    process.stderr.write(`${problems.join('\n')}\n`)
    process.exitCode = 1
    return
  }
  const file = inProject(`build/${program}.js`)
  process.argv = [process.execPath, file, ...args]
  await import(pathToFileURL(file).href)
}

if (isProgram(import.meta.url)) {
  const [first = '', ...rest] = process.argv.slice(2)
  const needs = /^--needs=(.+)$/.exec(first)?.[1]?.split(',')
  const [program = '', ...args] = needs === undefined ? [first, ...rest] : rest
  await runProgram(program.replace(/\.[jt]s$/, ''), args, /** @type {import('./setup.mjs').Need[]} */ (needs ?? []))
}
