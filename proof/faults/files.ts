/** Faults of LMDB: of its disk and of its file. */
import { execFile } from 'node:child_process'
import { cpSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

import type { Deployed } from '../deployment/deployment.ts'
import { PROJECT } from '../peers.ts'
import { type Fault, oneOf } from './fault.ts'

const FILLER = path.join(PROJECT, 'build/proof/faults/filler.js')
const run = promisify(execFile)

export const FILE_FAULTS: readonly Fault[] = [
  {
    name: 'disk full',
    sort: 'unwritable',
    stores: ['lmdb'],
    seconds: 4,
    begin: async (deployed) => {
      const most = statSync(dataOf(deployed)).size
      const limited = deployed.servers.flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
      for (const pid of limited) await limit(pid, most)
      // What room was left in the file is used up by another program on the same disk.
      await run('prlimit', [`--fsize=${most}`, process.execPath, FILLER, directoryOf(deployed)])
      return async () => {
        // One may have ended, which is told as what it is.
        const alive = new Set(deployed.servers.map(({ pid }) => pid))
        for (const pid of limited) if (alive.has(pid)) await limit(pid, 'unlimited')
      }
    },
  },
  {
    name: 'file lost, and a server that starts then refuses to begin anew',
    sort: 'kill',
    stores: ['lmdb'],
    seconds: 1,
    begin: async (deployed, random) => {
      const server = oneOf(deployed, random)
      const data = dataOf(deployed)
      await server.kill()
      renameSync(data, `${data}.lost`)
      const refusal = (await server.refusal()) ?? 'it serves'
      if (!refusal.includes('is missing or empty')) throw new Error(`the file was lost, and ${server.name}: ${refusal}`)
      return async () => {
        renameSync(`${data}.lost`, data)
        await server.start()
      }
    },
  },
  {
    name: 'an old copy in the place of the file',
    sort: 'forgets',
    stores: ['lmdb'],
    seconds: 3,
    begin: async (deployed) => {
      const directory = directoryOf(deployed)
      const copy = `${directory}.copy`
      await whileStopped(deployed, () => cpSync(directory, copy, { recursive: true }))
      return () =>
        whileStopped(deployed, () => {
          rmSync(directory, { recursive: true })
          renameSync(copy, directory)
        })
    },
  },
]

async function whileStopped({ servers }: Deployed, act: () => void): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()))
  act()
  await Promise.all(servers.map((server) => server.start()))
}

/** Of the files that a process writes, as long as it runs. */
async function limit(pid: number, bytes: number | 'unlimited'): Promise<void> {
  await run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`])
}

function directoryOf({ lmdb }: Deployed): string {
  if (lmdb === undefined) throw new Error('there is no LMDB to do it to')
  return lmdb.directory
}

function dataOf(deployed: Deployed): string {
  return path.join(directoryOf(deployed), 'data.mdb')
}
