/** `npm start`: the demonstration, from the first word on the terminal to the last. */
import { readCommandLine, USAGE, type Choices } from './launcher/command-line.ts'
import { Demonstration } from './launcher/demonstration.ts'
import { AWAY } from './launcher/server-process.ts'
import { SERVER_NAMES } from './worlds.ts'

const asked = readCommandLine(process.argv.slice(2))
if (asked === 'help') {
  console.log(USAGE)
} else if ('wrong' in asked) {
  console.error(`${asked.wrong}\n\n${USAGE}`)
  process.exitCode = 2
} else {
  await run(asked)
}

async function run(choices: Choices): Promise<void> {
  const demonstration = await Demonstration.prepare(choices.port)
  stopOnSignals(demonstration)
  if (choices.port !== 0 && demonstration.port !== choices.port) {
    console.log(
      `Port ${choices.port} is in use by another program; taking ${demonstration.port}. (--port N chooses another.)`,
    )
  }
  console.log('Starting two servers and a balancer …')
  try {
    await demonstration.startServers()
    welcome(demonstration, await demonstration.startBalancer(choices))
    report(demonstration)
  } catch (error) {
    await end(demonstration, error instanceof Error ? error.message : String(error))
  }
}

function welcome({ ports, sights, folder, port }: Demonstration, balancer: string): void {
  const servers = SERVER_NAMES.map((name) => `  server ${name}   process ${sights[name].pid}, port ${ports[name]}`)
  console.log(`
${servers.join('\n')}
  balancer   ${balancer}: every request to the other server
  store      LMDB in ${folder}, for the shared world
  ledgers    beside it: a line for every transfer that was carried out

  Open       http://localhost:${port}

Ctrl-C stops everything.`)
}

/** Says when a server dies, by the page's button or by your own \`kill -9\`, and when it is back. */
function report(demonstration: Demonstration): void {
  demonstration.on('server', (name) => {
    const { state, pid } = demonstration.sights[name]
    if (state === 'down') console.log(`Server ${name} is dead; it comes back in ${AWAY / 1000} seconds.`)
    if (state === 'up') console.log(`Server ${name} is back, as process ${pid}.`)
  })
  demonstration.once('broken', () => void end(demonstration, 'The balancer ended.'))
}

function stopOnSignals(demonstration: Demonstration): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void end(demonstration))
  }
}

let ending: Promise<void> | undefined

/** Stops everything, once, and says why where it was not asked for. */
function end(demonstration: Demonstration, problem?: string): Promise<void> {
  ending ??= (async () => {
    if (problem !== undefined) console.error(problem)
    await demonstration.stop()
    console.log(problem === undefined ? '\nStopped.' : 'Everything has been stopped.')
    process.exit(problem === undefined ? 0 : 1)
  })()
  return ending
}
