/** I12: a sign-in that is under way while its user is revoked elsewhere leaves no session behind. */
import { memoryStore } from 'holdfast/memory'
import { faultyStore } from 'holdfast/testing'
import { afterAll, describe, expect, it } from 'vitest'

import { closeConnections } from '../../proof/browser.ts'
import { jsonOf, who } from '../../proof/race/race.ts'
import { ADAPTERS, serve } from './servers.ts'

const SLOW = 80

afterAll(closeConnections)

describe.each(ADAPTERS)('on %s', (adapter) => {
  it.each(['visitor', 'guest'])(
    'I12: the sign-in of a %s, entered in the index and not yet stored, is ended',
    async (kind) => {
      const store = memoryStore()
      const slow = faultyStore(store)
      const servers = await serve(adapter, [{ store: slow }, { store }])
      await Promise.all(servers.sessions.map((sessions) => sessions.ready()))
      const browser = servers.browser()
      if (kind === 'guest') jsonOf(await browser.post(1, '/key?key=one'))

      slow.faults = { delay: (operation) => (operation === 'create' || operation === 'replace' ? SLOW : 0) }
      const entering = browser.send(0, 'POST', '/sign-in?user=ada', { form: {} })
      await new Promise((resolve) => setTimeout(resolve, SLOW / 2))
      await servers.sessions[1]?.revokeUser('ada')
      browser.take(await entering)

      slow.faults = {}
      for (const server of [0, 1]) expect((await who(browser.copy(), server)).user).toBeNull()
      expect(await servers.sessions[0]?.list('ada')).toEqual([])
      await servers.close()
    },
  )
})
