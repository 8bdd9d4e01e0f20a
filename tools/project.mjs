/** Where the project is, and how its commands are run. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The project's folder, with a slash at its end. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** @param {string} path relative to the project's folder */
export function inProject(path) {
  return fileURLToPath(new URL(`../${path}`, import.meta.url))
}

/** @param {string} path relative to the project's folder */
export function readText(path) {
  return readFileSync(inProject(path), 'utf8')
}

/** Whether a module is the program that Node was started with. @param {string} url its `import.meta.url` */
export function isProgram(url) {
  return process.argv[1] === fileURLToPath(url)
}

/**
 * @typedef {object} Ended
 * @property {boolean} ok whether it exited with 0
 * @property {string} output what it wrote to both streams, as far as it was captured
 * @typedef {object} CommandOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] added to the environment
 * @property {'capture' | 'show'} [output] default: captured
 */

/**
 * Runs a command in the project's folder. A command that cannot be started has ended badly, with the reason as output.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {CommandOptions} [options]
 * @returns {Promise<Ended>}
 */
export function run(command, args, { cwd = root, env = {}, output = 'capture' } = {}) {
  return new Promise((resolve) => {
    const stdio = output === 'show' ? 'inherit' : 'pipe'
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', stdio, stdio] })
    let written = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => (written += text))
    }
    child.once('error', (error) => resolve({ ok: false, output: error.message }))
    child.once('close', (code) => resolve({ ok: code === 0, output: written }))
  })
}

/**
 * Runs a JavaScript file with this Node.
 * @param {string} file relative to the project's folder
 * @param {readonly string[]} args
 * @param {CommandOptions} [options]
 */
export function runNode(file, args, options) {
  return run(process.execPath, [inProject(file), ...args], options)
}

/** Seconds since `start`, such as '1.3 s'. @param {number} start as `performance.now()` gave it */
export function secondsSince(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`
}
