/** HAProxy as the balancer: found, configured, started, and stopped with us. */
import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Readable } from 'node:stream'

import { answersOn } from '../launcher/ports.ts'
import { haproxyConfig } from './haproxy-config.ts'
import type { Plan } from './plan.ts'
import { SORRY } from './sorry.ts'

export type HaproxyProcess = ChildProcessByStdio<null, null, Readable>

/** Where the `haproxy` program is. Also looks where an administrator's programs are, which are not on everyone's PATH. */
export function findHaproxy(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => path.join(folder, 'haproxy')).find(isExecutable)
}

/** Starts HAProxy in a process group of its own, so that Ctrl-C in a terminal does not reach it before us. */
export function spawnHaproxy(program: string, plan: Plan, folder: string): HaproxyProcess {
  return spawn(program, ['-db', '-f', writeFiles(plan, folder)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
}

/** Resolves once HAProxy listens. Rejects with what it printed where it ends instead. */
export async function listeningHaproxy(haproxy: HaproxyProcess, port: number): Promise<void> {
  let said = ''
  haproxy.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
  const failed = new Promise<never>((_resolve, reject) => {
    haproxy.once('error', reject)
    haproxy.once('exit', (code) => reject(new Error(`HAProxy ended with ${code ?? 'a signal'}:\n${said.trim()}`)))
  })
  // Once it listens, its end is no longer a failure to start.
  failed.catch(() => undefined)
  await Promise.race([answersOn(port), failed])
}

/** Resolves once it is gone. */
export async function endHaproxy(haproxy: HaproxyProcess): Promise<void> {
  if (haproxy.exitCode !== null || haproxy.signalCode !== null) return
  haproxy.removeAllListeners('exit').kill('SIGTERM')
  await once(haproxy, 'exit')
}

/** `HAProxy 2.6.12` */
export function haproxyVersion(program: string): string {
  const [, version] = /version (\d+\.\d+(?:\.\d+)?)/.exec(execFileSync(program, ['-v'], { encoding: 'utf8' })) ?? []
  return version === undefined ? 'HAProxy' : `HAProxy ${version}`
}

function writeFiles(plan: Plan, folder: string): string {
  mkdirSync(folder, { recursive: true })
  const file = (name: string, text: string): string => {
    const target = path.join(folder, name)
    writeFileSync(target, text)
    return target
  }
  const interrupted = file('interrupted.html', SORRY.interrupted)
  const nobody = file('nobody.html', SORRY.nobody)
  return file('haproxy.cfg', haproxyConfig(plan, { interrupted, nobody }))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
