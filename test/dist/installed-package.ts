/** The package as a stranger has it: packed, unpacked into a project of its own, with nothing else there. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const project = fileURLToPath(new URL('../..', import.meta.url))

export interface InstalledPackage {
  /** Where the package is. */
  readonly folder: string
  /** Makes packages of the project available to the stranger's programs, or those of another folder of it. */
  add(...packages: string[]): Promise<void>
  addFrom(folder: string, ...packages: string[]): Promise<void>
  /** Runs one of the programs in `consumer/`, or a line of code; answers what it wrote. Rejects if it fails. */
  run(...args: string[]): Promise<string>
  remove(): Promise<void>
}

export async function installPackage(): Promise<InstalledPackage> {
  const stranger = await mkdtemp(path.join(tmpdir(), 'holdfast-installed-'))
  const folder = path.join(stranger, 'node_modules/holdfast')
  await mkdir(folder, { recursive: true })
  await execute('npm', ['pack', '--ignore-scripts', '--pack-destination', stranger], { cwd: project })
  await execute('sh', ['-c', 'tar -xzf ./*.tgz -C node_modules/holdfast --strip-components=1'], { cwd: stranger })
  await cp(fileURLToPath(new URL('consumer', import.meta.url)), stranger, { recursive: true })

  async function addFrom(from: string, ...packages: string[]): Promise<void> {
    for (const name of packages) {
      const link = path.join(stranger, 'node_modules', name)
      await mkdir(path.dirname(link), { recursive: true })
      await symlink(path.join(project, from, 'node_modules', name), link)
    }
  }

  return {
    folder,
    add: (...packages) => addFrom('.', ...packages),
    addFrom,
    async run(...args) {
      const { stdout } = await execute(process.execPath, args, { cwd: stranger, env: { PATH: process.env['PATH'] } })
      return stdout
    },
    async remove() {
      await rm(stranger, { recursive: true, force: true })
    },
  }
}
