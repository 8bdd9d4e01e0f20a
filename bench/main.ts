/** `npm run bench`: everything that is measured, in one command. `--help` says what can be chosen. */
import { drawCharts } from './charts.ts'
import { countCommands } from './commands.ts'
import { compare, Field } from './compare.ts'
import { servesFromSeveral } from './contenders.ts'
import { measureLatencies } from './latency.ts'
import { tell } from './machine.ts'
import { measureMemory } from './memory.ts'
import { HELP, type Options, readTask, type Task } from './options.ts'
import { installPeers } from '../proof/peers.ts'
import { reportOf } from './report.ts'
import { ResultsFile } from './results.ts'
import { measureScale } from './scale.ts'

const args = process.argv.slice(2)
// With Ctrl-C too, what was written is cleared away: by the listeners of this process's end.
process.once('SIGINT', () => process.exit(130))
const task = read()
if (task !== undefined) await perform(task)

function read(): Task | undefined {
  try {
    return readTask(args)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`)
    process.exitCode = 2
    return undefined
  }
}

async function perform(wanted: Task): Promise<void> {
  if (wanted.task === 'help') process.stdout.write(HELP)
  else if (wanted.task === 'charts') for (const file of drawCharts(wanted.file)) process.stdout.write(`${file}\n`)
  else await measure(wanted.options)
}

async function measure(options: Options): Promise<void> {
  installPeers('bench')
  const { contenders, parts, rounds } = options
  const file = new ResultsFile(args, options.full, rounds)
  for (const processes of options.processes) await measureServers(options, processes, file)
  if (parts.has('memory')) {
    tell('memory')
    file.add(await measureMemory(contenders, options.sessions))
  }
  if (parts.has('commands')) {
    tell('commands')
    file.add(await countCommands(contenders))
  }
  // The last: it keeps to the server's core from then on.
  if (parts.has('scale')) {
    tell('scale')
    file.add(await measureScale(options.sizes, options.scaleRounds))
  }
  file.end()
  const { results } = file
  process.stdout.write(options.json ? `${JSON.stringify(results, undefined, 2)}\n` : `\n${reportOf(results)}`)
  tell(`\nResults: ${file.file}`)
  if (!results.complete) process.exitCode = 1
}

/** All kinds of work on servers of so many processes. */
async function measureServers(options: Options, processes: number, file: ResultsFile): Promise<void> {
  const { contenders, rounds, rate, latencySeconds, parts } = options
  const works = processes === 1 ? options.works : options.worksOfSeveral
  const latency = processes === 1 && parts.has('latency')
  if (works.length === 0 && !latency) return
  tell(processes === 1 ? 'one server process' : `${processes} server processes`)
  const able = processes === 1 ? contenders : contenders.filter(servesFromSeveral)
  const field = await Field.start(able, processes, rounds.visitors)
  try {
    for (const work of works) {
      tell(work)
      file.add(await compare(field, work, processes, rounds))
    }
    if (latency) {
      tell('latency')
      file.add(await measureLatencies(field, rate, { ...rounds, seconds: latencySeconds }))
    }
  } finally {
    await field.stop()
  }
}
