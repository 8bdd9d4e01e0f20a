/** What `npm start -- …` understands. */
import { parseArgs } from 'node:util'

import { isWorldId, WORLD_IDS, type WorldId } from '../worlds.ts'

export interface Choices {
  readonly world: WorldId
  /** 0: any free port. */
  readonly port: number
  readonly balancer: 'haproxy' | 'built-in' | 'best'
}

export const USAGE = `Usage: npm start -- [options]

  --world memory|sticky|shared   where the visit begins; the page has a switch (default: shared)
  --port N                       where the page is served; 0: any free port (default: 8080)
  --balancer haproxy|built-in    default: HAProxy where it is installed
  --help                         this text
`

/** The choices made, or in words what is wrong with them; `'help'` where that was asked for. */
export function readCommandLine(args: readonly string[]): Choices | { readonly wrong: string } | 'help' {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS })
    return values.help ? 'help' : choicesFrom(values)
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : String(error) }
  }
}

const OPTIONS = {
  world: { type: 'string', default: 'shared' },
  port: { type: 'string', default: '8080' },
  balancer: { type: 'string', default: 'best' },
  help: { type: 'boolean', default: false, short: 'h' },
} as const

function choicesFrom(values: { world: string; port: string; balancer: string }): Choices | { readonly wrong: string } {
  const { world, balancer } = values
  if (!isWorldId(world)) return { wrong: `There is no world '${world}'. There are: ${WORLD_IDS.join(', ')}.` }
  if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > 65_535) {
    return { wrong: `'${values.port}' is not a port. A port is a number from 0 to 65535.` }
  }
  if (balancer !== 'haproxy' && balancer !== 'built-in' && balancer !== 'best') {
    return { wrong: `There is no balancer '${balancer}'. There are: haproxy, built-in.` }
  }
  return { world, port: Number(values.port), balancer }
}
