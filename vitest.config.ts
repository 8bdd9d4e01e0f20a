import { fileURLToPath } from 'node:url'

import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

import { entryPoints } from './tools/entry-points.mjs'

const seconds = 1_000

/** 'holdfast' and its subpaths, as the sources or as the built package. */
function holdfastAs(kind: 'source' | 'built'): Array<{ find: RegExp; replacement: string }> {
  return entryPoints().map((entry) => ({
    find: new RegExp(`^${entry.specifier}$`),
    replacement: fileURLToPath(new URL(entry[kind], import.meta.url)),
  }))
}

interface Suite {
  readonly name: string
  readonly include?: string[]
  readonly exclude?: string[]
  readonly against?: 'source' | 'built'
  readonly timeout: number
  /** Suites that start servers have the machine to themselves: two of them at once only measure each other. */
  readonly oneFileAtATime?: boolean
  /** Suites that start programs need those programs compiled. */
  readonly needsBuild?: boolean
}

const suites: Suite[] = [
  {
    name: 'unit',
    include: ['test/**/*.test.ts'],
    exclude: ['test/{contract,flow,fault,browser,dist,support}/**'],
    timeout: 30 * seconds,
  },
  { name: 'contract', timeout: 60 * seconds },
  { name: 'flow', timeout: 120 * seconds, oneFileAtATime: true, needsBuild: true },
  { name: 'fault', timeout: 120 * seconds, oneFileAtATime: true, needsBuild: true },
  { name: 'browser', timeout: 120 * seconds, oneFileAtATime: true, needsBuild: true },
  { name: 'dist', against: 'built', timeout: 60 * seconds, needsBuild: true },
]

function project(suite: Suite): TestProjectInlineConfiguration {
  return {
    resolve: { alias: holdfastAs(suite.against ?? 'source') },
    test: {
      name: suite.name,
      include: suite.include ?? [`test/${suite.name}/**/*.test.ts`],
      exclude: suite.exclude ?? [],
      environment: 'node',
      pool: 'forks',
      testTimeout: suite.timeout,
      hookTimeout: suite.timeout,
      teardownTimeout: 10 * seconds,
      fileParallelism: suite.oneFileAtATime !== true,
      globalSetup: suite.needsBuild === true ? ['tools/build-before-tests.mjs'] : [],
      restoreMocks: true,
      unstubEnvs: true,
    },
  }
}

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: suites.map(project),
    coverage: { provider: 'v8', include: ['src/**'], reportsDirectory: 'coverage' },
  },
})
