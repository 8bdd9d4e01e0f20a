/** The few commands that the store needs, as each client takes them: node-redis 4 and later, ioredis; one server or a cluster. */

/** A client that is connected. Known by what it can do, so that neither package is needed here. */
export type Client = object

export interface Commands {
  get(key: string): Promise<string | null>
  /** Answers whether it was written: `onlyIfThere`, which is one command, writes over what is there and nothing else. */
  set(key: string, value: string, how: Writing): Promise<boolean>
  expire(key: string, seconds: number): Promise<unknown>
  del(key: string): Promise<unknown>
  /** Keys of this pattern, in batches; some may come twice. */
  scan(pattern: string, count: number): AsyncIterable<readonly string[]>
}

export interface Writing {
  /** Seconds; `undefined`: for ever. */
  readonly ttl: number | undefined
  readonly onlyIfThere: boolean
}

interface Ioredis {
  get(key: string): Promise<string | null>
  set(...args: (string | number)[]): Promise<unknown>
  expire(key: string, seconds: number): Promise<unknown>
  del(key: string): Promise<unknown>
  scan(...args: (string | number)[]): Promise<[cursor: string, keys: string[]]>
  /** Of a cluster. */
  nodes?(role: 'master'): readonly Ioredis[]
}

interface NodeRedis {
  get(key: string): Promise<string | null>
  set(key: string, value: string, options: { readonly EX?: number; readonly XX?: true }): Promise<unknown>
  expire(key: string, seconds: number): Promise<unknown>
  del(key: string): Promise<unknown>
  scanIterator(options: { readonly MATCH: string; readonly COUNT: number }): AsyncIterable<string | readonly string[]>
  /** Of a cluster. */
  readonly masters?: readonly object[]
  nodeClient?(master: object): NodeRedis | Promise<NodeRedis>
}

export function commandsOf(client: Client): Commands {
  const { callBuffer, status } = client as { callBuffer?: unknown; status?: unknown }
  return typeof callBuffer === 'function' && typeof status === 'string'
    ? ofIoredis(client as Ioredis)
    : ofNodeRedis(client as NodeRedis)
}

function ofIoredis(client: Ioredis): Commands {
  return {
    get: (key) => client.get(key),
    set: async (key, value, { ttl, onlyIfThere }) => {
      const args = [...(ttl === undefined ? [] : ['EX', ttl]), ...(onlyIfThere ? ['XX'] : [])]
      return (await client.set(key, value, ...args)) !== null
    },
    expire: (key, seconds) => client.expire(key, seconds),
    del: (key) => client.del(key),
    async *scan(pattern, count) {
      for (const node of client.nodes?.('master') ?? [client]) {
        let cursor = '0'
        do {
          const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', count)
          yield keys
          cursor = next
        } while (cursor !== '0')
      }
    },
  }
}

function ofNodeRedis(client: NodeRedis): Commands {
  return {
    get: (key) => client.get(key),
    set: async (key, value, { ttl, onlyIfThere }) => {
      const options = { ...(ttl !== undefined && { EX: ttl }), ...(onlyIfThere && { XX: true as const }) }
      return (await client.set(key, value, options)) !== null
    },
    expire: (key, seconds) => client.expire(key, seconds),
    del: (key) => client.del(key),
    async *scan(pattern, count) {
      const nodes = client.masters?.map((master) => client.nodeClient?.(master) ?? client) ?? [client]
      for (const node of nodes)
        for await (const keys of (await node).scanIterator({ MATCH: pattern, COUNT: count }))
          // Version 4 answers them one by one.
          yield typeof keys === 'string' ? [keys] : keys
    },
  }
}
