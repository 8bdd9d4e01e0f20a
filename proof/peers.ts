/**
 * The products that Holdfast is compared with. They have package files and locks of their own, so that
 * they never enter the project's; they are fetched when a program first needs them.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The project's folder, whether this file runs from its source or from `build/`. */
export const PROJECT: string = projectFolder(path.dirname(fileURLToPath(import.meta.url)))

function projectFolder(start: string): string {
  const inBuild = path.resolve(start, '..')
  return path.basename(inBuild) === 'build' ? path.dirname(inBuild) : inBuild
}

/** Loads a package of `proof/peers`, as its types are declared by the caller. */
export async function loadPeer<Module>(name: string, folder = 'proof/peers'): Promise<Module> {
  const resolve = createRequire(path.join(PROJECT, folder, 'package.json')).resolve
  return (await import(pathToFileURL(resolve(name)).href)) as Module
}

/** Installs the packages of a folder as its lock has them, where they are not there yet, and says so. */
export function installPeers(folder = 'proof/peers'): void {
  const cwd = path.join(PROJECT, folder)
  if (existsSync(path.join(cwd, 'node_modules', '.package-lock.json'))) return
  process.stderr.write(`Installing the packages to compare with, into ${folder}/node_modules …\n`)
  const arguments_ = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', arguments_, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`npm ${arguments_.join(' ')} in ${folder} ended with ${status}`)
}
