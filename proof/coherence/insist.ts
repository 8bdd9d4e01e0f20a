/** For what the proof only prepares: asks again where a busy machine let the store's deadline pass. */
import { setTimeout as pause } from 'node:timers/promises'

import type { Answer } from '../browser.ts'

const TRIES_MOST = 20
const AGAIN = 100

export async function insist(send: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const answer = await send()
    if (answer.status === 200) return answer
    if (answer.status !== 503 || tries === TRIES_MOST)
      throw new Error(`an answer of ${answer.status}: ${answer.body.slice(0, 200)}`)
    await pause(AGAIN)
  }
}
