/**
 * The products that Holdfast is compared with. They have package files and locks of their own, so that
 * they never enter the project's; they are fetched when a program first needs them.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The project's folder, whether this file runs from its source or from `build/`. */
export const PROJECT: string = projectFolder(path.dirname(fileURLToPath(import.meta.url)))

/** What npm notes of what it has installed. */
const INSTALLED = 'node_modules/.package-lock.json'

function projectFolder(start: string): string {
  const inBuild = path.resolve(start, '..')
  return path.basename(inBuild) === 'build' ? path.dirname(inBuild) : inBuild
}

/** Loads a package of `proof/peers`, as its types are declared by the caller. */
export async function loadPeer<Module>(name: string, folder = 'proof/peers'): Promise<Module> {
  const resolve = createRequire(path.join(PROJECT, folder, 'package.json')).resolve
  return (await import(pathToFileURL(resolve(name)).href)) as Module
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>
}

/** Installs the packages of a folder as its lock has them, where they are not there, or others are, and says so. */
export function installPeers(folder = 'proof/peers'): void {
  const cwd = path.join(PROJECT, folder)
  const lock = path.join(cwd, 'package-lock.json')
  const installed = path.join(cwd, INSTALLED)
  if (existsSync(installed) && isCurrent(installed, lock)) return
  rmSync(installed, { force: true })
  process.stderr.write(`Installing the packages to compare with, into ${folder}/node_modules …\n`)
  const arguments_ = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  const before = readFileSync(lock)
  const { status } = spawnSync('npm', arguments_, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  // Some versions of npm rewrite a lock that they only read.
  if (!before.equals(readFileSync(lock))) writeFileSync(lock, before)
  if (status !== 0) throw new Error(`npm ${arguments_.join(' ')} in ${folder} ended with ${status}`)
}

/** The version of an installed package of a folder; `'?'` where it is not there. */
export function versionOfPeer(name: string, folder: string): string {
  return packagesOf(path.join(PROJECT, folder, INSTALLED))[`node_modules/${name}`]?.version ?? '?'
}

function isCurrent(installed: string, lock: string): boolean {
  const there = packagesOf(installed)
  return Object.entries(packagesOf(lock)).every(
    ([name, { version, optional = false }]) => name === '' || optional || there[name]?.version === version,
  )
}

function packagesOf(file: string): Lock['packages'] {
  return (JSON.parse(readFileSync(file, 'utf8')) as Lock).packages
}
