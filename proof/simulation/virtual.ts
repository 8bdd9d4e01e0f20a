/** Virtual time for a whole process, `node:timers/promises` included. */
import { syncBuiltinESMExports } from 'node:module'
import promises from 'node:timers/promises'

import { virtualPromises, VirtualTime } from '../../test/support/virtual-time.ts'

/** Installs it. What is answered has to be uninstalled again where the process goes on with something else. */
export function virtualTime(): { readonly time: VirtualTime; uninstall(): void } {
  const time = new VirtualTime({ immediates: true }).install()
  const { setTimeout } = promises
  Object.assign(promises, virtualPromises)
  syncBuiltinESMExports()
  return {
    time,
    uninstall: () => {
      time.uninstall()
      Object.assign(promises, { setTimeout })
      syncBuiltinESMExports()
    },
  }
}
