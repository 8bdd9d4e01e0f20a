/** Asks a server something over a link of its own, which is closed again. */
import { type Command, type Endpoint, ErrorReply, type Link, type OpenLink, type Reply } from './link.ts'

export interface Asking {
  readonly open: OpenLink
  /** Milliseconds for all of it. */
  readonly patience: number
  /** Gives up. */
  readonly signal: AbortSignal
}

type Answer = Reply | ErrorReply

/** The answers, each an `ErrorReply` where the server refused. Rejects where it does not answer. */
export async function ask(to: Endpoint, questions: readonly Command[], asking: Asking): Promise<Answer[]> {
  const { open, patience, signal } = asking
  signal.throwIfAborted()
  let giveUp = (_why: Error): void => undefined
  let link: Link | undefined
  const abandon = (): void => giveUp(new Error('the store is being closed'))
  const late = setTimeout(() => giveUp(new Error(`no answer within ${patience} ms`)), patience)
  signal.addEventListener('abort', abandon)
  try {
    return await new Promise<Answer[]>((resolve, reject) => {
      giveUp = reject
      const up = (): void => void Promise.all(questions.map((one) => answerOf(link, one))).then(resolve, reject)
      link = open(to, { up, down: reject })
    })
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', abandon)
    await link?.close()
  }
}

async function answerOf(link: Link | undefined, question: Command): Promise<Answer> {
  try {
    return (await link?.send(question)) ?? null
  } catch (error) {
    if (error instanceof ErrorReply) return error
    throw error
  }
}
