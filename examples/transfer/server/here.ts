/** What this server knows of itself and of what surrounds it. */
import type { Surroundings } from '../surroundings.ts'
import { isServerName, type ServerName } from '../worlds.ts'

export interface Here {
  readonly name: ServerName
  readonly port: number
  readonly secret: string
  /** What both servers write to: the store of the shared world, and the ledgers. */
  readonly folder: string
  /** As the launcher told it last. */
  surroundings: Surroundings
}

/** Reads the environment that the launcher made. */
export function readHere(env: NodeJS.ProcessEnv): Here {
  const { SERVER_NAME: name, PORT: port, SESSION_SECRET: secret, FOLDER: folder } = env
  if (!isServerName(name) || port === undefined || secret === undefined || folder === undefined) {
    throw new Error('This is one of the two servers of the demonstration. Start it with: npm start')
  }
  const unknown = { state: 'starting', pid: undefined } as const
  return {
    name,
    port: Number(port),
    secret,
    folder,
    surroundings: { servers: { A: unknown, B: unknown }, balancer: '' },
  }
}
