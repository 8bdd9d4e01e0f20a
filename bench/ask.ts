/** One request of our own, outside what is measured. */
import { Agent, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly setCookies: readonly string[]
  readonly body: string
}

/** Header fields by name. */
export type Headers = Readonly<Record<string, string>>

const PARALLEL = 16
const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL })

/** Asks and takes any answer. */
export function ask(method: string, url: string, headers: Headers): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent, headers }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, setCookies: response.headers['set-cookie'] ?? [], body }),
      )
    })
    sent.once('error', reject)
    sent.end()
  })
}

/** The answer, where it is a success; throws otherwise. */
export function succeeded(method: string, url: string, answer: Answer): Answer {
  if (answer.status === 200) return answer
  throw new Error(`${method} ${url} answered ${answer.status}: ${answer.body.slice(0, 200)}`)
}

/** Does something for each, some at a time. */
export async function forEachOf<Item>(
  items: readonly Item[],
  act: (item: Item, at: number) => Promise<void>,
): Promise<void> {
  const entries = items.entries()
  const worker = async (): Promise<void> => {
    for (const [at, item] of entries) await act(item, at)
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
}
