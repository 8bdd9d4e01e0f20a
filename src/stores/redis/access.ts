/** How a link gets in: as whom, over what, into which database. */
import type { ConnectionOptions } from 'node:tls'

/** Who connects. Without a name it is the server's user `default`. */
export interface Credentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** Asked at each connect, so that passwords may change. */
export type CredentialsSource = () => Credentials | Promise<Credentials>

export interface Access {
  readonly credentials: CredentialsSource
  /** Whether they may be other ones at the next connect. */
  readonly rotating: boolean
  /** `undefined`: no TLS. */
  readonly tls: ConnectionOptions | undefined
  readonly database: number
  /** Milliseconds that connecting and signing in may take. */
  readonly patience: number
}
