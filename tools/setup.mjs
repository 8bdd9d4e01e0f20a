/**
 * Brings what is missing: `node tools/setup.mjs [packages] [redis-server] [haproxy] [chromium] [openssl]`;
 * without arguments everything. It says what it does, does nothing twice, and leaves the working tree as it was.
 * Plain JavaScript without dependencies, for it runs before anything is there.
 */
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { inProject, isProgram, run } from './project.mjs'

/** @typedef {'packages' | DebianProgram} Need */
/** @typedef {'redis-server' | 'haproxy' | 'chromium' | 'openssl'} DebianProgram programs that are also the names of their packages */

/** @type {readonly DebianProgram[]} */
const debianPrograms = ['redis-server', 'haproxy', 'chromium', 'openssl']
/** @type {readonly Need[]} */
export const everything = ['packages', ...debianPrograms]

/**
 * @param {readonly Need[]} needs
 * @returns {Promise<string[]>} what could not be brought, in words; empty where all is there
 */
export async function setUp(needs = everything) {
  const problems = needs.includes('packages') ? await installPackages() : []
  const missing = debianPrograms.filter((program) => needs.includes(program) && !onPath(program))
  if (missing.length > 0) problems.push(...(await installPrograms(missing)))
  return problems
}

// -- npm packages ----------------------------------------------------------------------------------------------------

const stampFile = 'node_modules/.installed-for'

/** What the installed packages depend on: the lock, and what native parts are chosen by. */
function stamp() {
  const lock = createHash('sha256')
    .update(readFileSync(inProject('package-lock.json')))
    .digest('hex')
  return `${lock} node-${process.versions.node.split('.')[0]} ${process.platform}-${process.arch}\n`
}

/** Whether `node_modules` is what the lock says. */
export function packagesAreThere() {
  return existsSync(inProject(stampFile)) && readFileSync(inProject(stampFile), 'utf8') === stamp()
}

async function installPackages() {
  if (packagesAreThere()) return []
  say('Installing npm packages as package-lock.json has them (about 300 MB on disk) …')
  const { ok, output } = await keepingTheLock(npmInstall)
  if (!ok) return [`npm could not install the packages:\n${output.trim()}`]
  mkdirSync(inProject('node_modules'), { recursive: true })
  writeFileSync(inProject(stampFile), stamp())
  return []
}

/**
 * `npm ci` refuses locks with bindings of foreign platforms under npm 11; `install --no-save` takes exactly
 * what the lock has, under npm 10 and 11.
 */
function npmInstall() {
  const args = ['install', '--no-save', '--include=dev', '--include=optional', '--no-audit', '--no-fund']
  args.push('--loglevel=error')
  // Under `npm pack --dry-run` this npm would inherit the option, and install nothing.
  args.push('--dry-run=false')
  const npm = process.env['npm_execpath']
  return npm?.endsWith('npm-cli.js') ? run(process.execPath, [npm, ...args]) : run('npm', args)
}

/**
 * Some versions of npm rewrite a lock that they only read.
 * @template Result
 * @param {() => Promise<Result>} act
 */
async function keepingTheLock(act) {
  const file = inProject('package-lock.json')
  const before = readFileSync(file)
  const result = await act()
  if (!before.equals(readFileSync(file))) writeFileSync(file, before)
  return result
}

// -- programs of the system ------------------------------------------------------------------------------------------

/** @param {string} program */
function onPath(program) {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/bin', '/usr/sbin', '/usr/local/bin']
  return folders.some((folder) => isExecutable(path.join(folder, program)))
}

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Installs without starting the services that come along: the tests start servers of their own on free
 * ports, and a server that ran before stays as it was.
 */
const installWithoutServices = `
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
apt-get -q -o DPkg::Lock::Timeout=300 update
apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
if [ -d /run/systemd/system ]; then
  for package in "$@"; do systemctl disable "$package" 2> /dev/null || true; done
fi
`

/** @param {readonly DebianProgram[]} programs */
async function installPrograms(programs) {
  const manually = `${programs.join(', ')} ${programs.length > 1 ? 'are' : 'is'} missing. Install with: sudo apt-get install ${programs.join(' ')}`
  if (!onPath('apt-get')) return [`${manually} (or what your system has instead of apt-get)`]
  const rights = await administratorRights()
  if (rights === undefined) return [manually]
  say(`Installing ${programs.join(', ')} with apt-get …`)
  const [command = 'sh', ...args] = [...rights, 'sh', '-c', installWithoutServices, 'sh', ...programs]
  const { output } = await run(command, args)
  const still = programs.filter((program) => !onPath(program))
  return still.length === 0 ? [] : [`${manually}\napt-get said:\n${lastLines(output, 15)}`]
}

/** @returns {Promise<string[] | undefined>} what to put before a command so that it may install; undefined: nothing helps */
async function administratorRights() {
  if (process.getuid?.() === 0) return []
  return (await run('sudo', ['-n', 'true'])).ok ? ['sudo', '-n'] : undefined
}

/** @param {string} text @param {number} count */
function lastLines(text, count) {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

/** @param {string} message */
function say(message) {
  process.stderr.write(`${message}\n`)
}

if (isProgram(import.meta.url)) {
  const asked = /** @type {Need[]} */ (process.argv.slice(2))
  const unknown = asked.filter((need) => !everything.includes(need))
  const problems = unknown.length > 0 ? [`Unknown: ${unknown.join(', ')}. Known: ${everything.join(', ')}`] : []
  if (problems.length === 0) problems.push(...(await setUp(asked.length > 0 ? asked : everything)))
  for (const problem of problems) say(problem)
  process.exitCode = problems.length > 0 ? 1 : 0
}
