/** Which LMDB directories this process has open. Handles onto the same one share it; the last one closes it. */
import { mkdir, realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Environment } from './environment.ts'
import { Sweeper, type SweepOptions } from './sweeper.ts'

interface Share {
  readonly opened: Promise<{ environment: Environment; sweeper: Sweeper }>
  handles: number
}

const shares = new Map<string, Share>()
/** Directories that are being closed; opening one again waits for that. */
const closing = new Map<string, Promise<void>>()

/** One handle's hold on an environment. */
export interface Hold {
  readonly environment: Environment
  readonly sweeper: Sweeper
  release(): Promise<void>
}

/** Opens the directory, or joins who has it open already; then the first one's size and sweeping hold. */
export async function holdEnvironment(path: string, maxSize: number, sweeping: SweepOptions): Promise<Hold> {
  const name = await nameOf(path)
  while (closing.has(name)) await closing.get(name)
  let share = shares.get(name)
  if (share === undefined) {
    share = { opened: start(path, maxSize, sweeping), handles: 0 }
    shares.set(name, share)
  }
  share.handles += 1
  const joined = share
  try {
    const opened = await joined.opened
    return { ...opened, release: () => leave(name, joined) }
  } catch (error) {
    if (shares.get(name) === joined) shares.delete(name)
    throw error
  }
}

async function start(
  path: string,
  maxSize: number,
  sweeping: SweepOptions,
): Promise<{ environment: Environment; sweeper: Sweeper }> {
  const environment = await Environment.open(path, maxSize)
  const sweeper = new Sweeper(environment, sweeping)
  sweeper.start()
  return { environment, sweeper }
}

async function leave(name: string, share: Share): Promise<void> {
  share.handles -= 1
  if (share.handles > 0) return closing.get(name)
  shares.delete(name)
  const closed = shut(share).finally(() => closing.delete(name))
  closing.set(name, closed)
  await closed
}

async function shut(share: Share): Promise<void> {
  const { environment, sweeper } = await share.opened
  await sweeper.stop()
  await environment.close()
}

/** The same for all spellings of a path, also through symbolic links. What is wrong with it shows when it is opened. */
async function nameOf(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    return await realpath(path)
  } catch {
    return resolve(path)
  }
}
