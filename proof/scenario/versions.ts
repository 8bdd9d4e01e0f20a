/** What a run was made with. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

import { findHaproxy } from '../../examples/transfer/balancer/haproxy.ts'
import type { Target } from '../history/history.ts'
import { PROJECT, versionOfPeer } from '../peers.ts'

const run = promisify(execFile)

export async function versionsOf(target: Target): Promise<Readonly<Record<string, string>>> {
  const own = (JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string }).version
  const [redis, haproxy] = await Promise.all([
    said('redis-server', '--version', /v=([\d.]+)/),
    said(findHaproxy() ?? 'haproxy', '-v', /version ([\d.]+)/),
  ])
  const kept = target === 'holdfast' ? { holdfast: own } : { [target]: versionOfPeer(target, 'proof/peers') }
  return { ...kept, node: process.versions.node, 'redis-server': redis, haproxy }
}

async function said(program: string, option: string, pattern: RegExp): Promise<string> {
  const { stdout } = await run(program, [option])
  return pattern.exec(stdout)?.[1] ?? '?'
}
