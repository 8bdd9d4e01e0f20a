/** Everything that can be said about the project without running it, as steps. They change nothing. */
import { boundaryComplaints } from './boundaries.mjs'
import { build } from './build.mjs'
import { compileExamples, documentComplaints } from './docs-check.mjs'
import { pathsOutOfStep } from './entry-points.mjs'
import { machinePathComplaints } from './machine-paths.mjs'
import { packagingSteps } from './packaging.mjs'
import { runNode } from './project.mjs'
import { standardsComplaints } from './standards.mjs'
import { complaintStep } from './steps.mjs'

/** Versions of TypeScript that users may have, and where each is. */
const compilers = [
  { version: '5.9', folder: 'typescript-5.9' },
  { version: '6', folder: 'typescript-6' },
  { version: '7', folder: 'typescript' },
]
/** Programs as users write them. Apart, for a registered type, and the types of browsers, hold for a whole program. */
const userPrograms = ['test-types/registered', 'test-types/managers', 'test-types/browser']

/** @returns {import('./steps.mjs').Step[]} */
export function checks() {
  return [
    { name: 'format', run: () => runNode('node_modules/oxfmt/bin/oxfmt', ['--check']) },
    { name: 'lint', run: () => runNode('node_modules/oxlint/bin/oxlint', ['--type-aware', '--deny-warnings']) },
    complaintStep('import boundaries', boundaryComplaints),
    complaintStep('entry points in step', pathsOutOfStep),
    complaintStep('no machine paths', machinePathComplaints),
    { name: 'build', run: build },
    { name: 'types', run: () => compile('typescript', 'tsconfig.json') },
    ...compilers.map(({ version, folder }) => ({
      name: `types for users, TypeScript ${version}`,
      run: () => compileUsers(folder),
    })),
    ...packagingSteps(),
    complaintStep('documents in step', documentComplaints),
    complaintStep('standards shown by tests', standardsComplaints),
    { name: 'documents compile', run: compileExamples },
  ]
}

/** @param {string} compiler @param {string} project */
function compile(compiler, project) {
  return runNode(`node_modules/${compiler}/bin/tsc`, ['-p', project, '--pretty', 'false'])
}

/** @param {string} compiler */
async function compileUsers(compiler) {
  const ended = await Promise.all(userPrograms.map((program) => compile(compiler, program)))
  return { ok: ended.every(({ ok }) => ok), output: ended.map(({ output }) => output).join('') }
}
