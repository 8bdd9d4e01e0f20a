/** vitest's global set-up for the suites with the originals of the drop-ins: installs them once, before several workers want them. */
import { installPeers } from '../../proof/peers.ts'

export default function setup(): void {
  installPeers('test/compat/peers')
}
