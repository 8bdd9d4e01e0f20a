/** A server of the races that accepts requests. */
export interface Listening {
  readonly port: number
  close(): Promise<void>
}
