/** The folder of one demonstration, below the system's folder for what may go. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const NAME = /^holdfast-transfer-(\d+)-/

/** Makes it, and removes those whose demonstration was killed before it could do so itself. */
export function makeFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = NAME.exec(name) ?? []
    if (pid !== undefined && !isRunning(Number(pid))) remove(path.join(tmpdir(), name))
  }
  return mkdtempSync(path.join(tmpdir(), `holdfast-transfer-${process.pid}-`))
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's: it runs, and is not ours to signal.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** What another user left is that user's to remove. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(String((error as NodeJS.ErrnoException).code))) throw error
  }
}
