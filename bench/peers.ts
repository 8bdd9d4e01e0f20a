/** The packages of this folder: the load generator, and what Holdfast is measured beside. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { installPeers, PROJECT } from '../proof/peers.ts'

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>
}

const FOLDER = path.join(PROJECT, 'bench')
const LOCK = path.join(FOLDER, 'package-lock.json')
const INSTALLED = path.join(FOLDER, 'node_modules/.package-lock.json')

/** Installs what the lock names, also where an older state of it is installed. */
export function installBenchPeers(): void {
  if (existsSync(INSTALLED) && !isCurrent()) rmSync(INSTALLED)
  const lock = readFileSync(LOCK)
  installPeers('bench')
  // Some versions of npm rewrite a lock that they only read.
  if (!lock.equals(readFileSync(LOCK))) writeFileSync(LOCK, lock)
}

function isCurrent(): boolean {
  const installed = packagesOf(INSTALLED)
  return Object.entries(packagesOf(LOCK)).every(
    ([name, { version, optional = false }]) => name === '' || optional || installed[name]?.version === version,
  )
}

function packagesOf(file: string): Lock['packages'] {
  return (JSON.parse(readFileSync(file, 'utf8')) as Lock).packages
}

/** The version of an installed package, for the report. */
export function versionOfPeer(name: string): string {
  return packagesOf(INSTALLED)[`node_modules/${name}`]?.version ?? '?'
}
