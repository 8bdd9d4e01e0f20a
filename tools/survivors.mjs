/** Finds processes that outlived the run that started them, by a mark in their environment; and ends them. */
import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that has just been told to end may take a moment. */
const patience = 3_000

/**
 * @param {string} mark `NAME=value`, in the environment of the run's children and of theirs
 * @returns {Promise<string[]>} one line for each process that was left behind and has now been ended
 */
export async function survivors(mark) {
  const deadline = performance.now() + patience
  let left = marked(mark)
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(100)
    left = marked(mark)
  }
  return left.map((pid) => `${pid}  ${end(pid)}`)
}

/** @param {string} mark @returns {number[]} empty where there is no /proc to look into */
function marked(mark) {
  return processes().filter((pid) => pid !== process.pid && read(pid, 'environ').includes(mark))
}

/** @returns {number[]} */
function processes() {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    return []
  }
}

/** @param {number} pid @param {'environ' | 'cmdline'} what @returns {string[]} empty for a process that is gone or not ours */
function read(pid, what) {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/** @param {number} pid @returns {string} its command line */
function end(pid) {
  const command = read(pid, 'cmdline').join(' ').trim()
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    return `${command} (ended meanwhile)`
  }
  return command
}
