/** A rolling deploy that changes the configuration: what is served by whom meanwhile, and what is excused. */
import { expect, it } from 'vitest'

import type { Deployed } from '../../../proof/deployment/deployment.ts'
import type { SiteProcess } from '../../../proof/deployment/site-process.ts'
import { SERVER_FAULTS } from '../../../proof/faults/servers.ts'
import type { SiteSettings } from '../../../proof/site/settings.ts'
import { chance } from '../../../proof/visitors/random.ts'

/** A server that notes how it is started. */
class NotedServer {
  settings = { configuration: 'usual' } as SiteSettings
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  async stop(): Promise<void> {}

  async start(changes: Partial<SiteSettings>): Promise<void> {
    this.settings = { ...this.settings, ...changes }
  }
}

it('goes to one server, then, while both sorts serve, to the others, and back when it comes again', async () => {
  const fault = SERVER_FAULTS.find(({ name }) => name === 'configuration changed by a rolling deploy')
  if (fault === undefined) throw new Error('there is no such fault')
  const servers = [new NotedServer('A'), new NotedServer('B')]
  const marks: string[] = []
  const mark = (name: string, sort: string) => {
    marks.push(`${name} (${sort})`)
    return () => void marks.push('over')
  }
  const now = (): string[] => servers.map(({ settings }) => settings.configuration)
  const begin = async () =>
    fault.begin({ servers: servers as unknown as SiteProcess[] } as unknown as Deployed, chance(1), mark)

  const goOn = await begin()
  expect(now()).toEqual(['other', 'usual'])
  expect(fault).toMatchObject({ sort: 'none' })
  expect(fault.seconds).toBeGreaterThanOrEqual(3)
  await goOn()
  expect(now()).toEqual(['other', 'other'])
  expect(marks).toEqual([
    'server A replaced by a deploy (kill)',
    'over',
    'server B replaced by a deploy (kill)',
    'over',
  ])
  const goBack = await begin()
  expect(now()).toEqual(['usual', 'other'])
  await goBack()
  expect(now()).toEqual(['usual', 'usual'])
})
