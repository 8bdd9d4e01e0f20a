/** What was measured on, and with what. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type as system } from 'node:os'
import path from 'node:path'

import { PROJECT } from '../proof/peers.ts'
import { LOADER } from './load.ts'
import { versionOfPeer } from '../proof/peers.ts'

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly gigabytes: number
  readonly system: string
}

const PEERS = [
  'koa',
  'hono',
  '@hono/node-server',
  'express-session',
  '@fastify/session',
  'connect-redis',
  'redis',
  'koa-session',
  'hono-sessions',
  'iron-session',
  'csrf-sync',
  '@fastify/csrf-protection',
  'koa-csrf',
]

export function machine(): Machine {
  const processors = cpus()
  return {
    processor: processors[0]?.model.trim() ?? 'unknown processor',
    cores: processors.length,
    gigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${system()} ${release()}`,
  }
}

/** `AMD EPYC, 2 cores, 24 GB, Linux 6.1` */
export function machineLine({ processor, cores, gigabytes, system: running }: Machine): string {
  return `${processor}, ${cores} cores, ${gigabytes} GB, ${running}`
}

/** By name. */
export function versions(): Record<string, string> {
  const ours = ['fastify', 'express', 'ioredis', 'lmdb'].map((name) => [name, installed(`node_modules/${name}`)])
  const theirs = PEERS.map((name) => [name, versionOfPeer(name, 'bench')])
  const redis = /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? '?'
  return {
    node: process.version,
    holdfast: installed('.'),
    'redis-server': redis,
    load: LOADER,
    ...(Object.fromEntries([...ours, ...theirs]) as Record<string, string>),
  }
}

function installed(folder: string): string {
  const { version } = JSON.parse(readFileSync(path.join(PROJECT, folder, 'package.json'), 'utf8')) as {
    version: string
  }
  return version
}

/** Says how far it is. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
