import { fileURLToPath } from 'node:url'

import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

import { entryPoints } from './tools/entry-points.mjs'
import { suites, type Suite } from './tools/suites.mjs'

/** Set by `npm run proof:mutants`: what is taken out of the sources, to see tests fail. */
const mutant = process.env['HOLDFAST_MUTANT']
const plugins = mutant === undefined ? [] : [(await import('./proof/mutants/plugin.ts')).mutation(mutant)]

export default defineConfig({
  test: {
    maxWorkers: 2,
    teardownTimeout: 10_000,
    projects: suites.map(project),
    coverage: { provider: 'v8', include: ['src/**'], reportsDirectory: 'coverage' },
  },
})

function project(suite: Suite): TestProjectInlineConfiguration {
  return {
    plugins,
    resolve: { alias: holdfastAs(suite.against) },
    test: {
      name: suite.name,
      include: suite.include,
      exclude: suite.exclude,
      environment: 'node',
      pool: 'forks',
      testTimeout: suite.timeout,
      hookTimeout: suite.timeout,
      fileParallelism: !suite.alone,
      globalSetup: [
        ...(suite.needsBuild ? ['tools/build-before-tests.mjs'] : []),
        ...(suite.needsPeers ? ['test/support/peers-before-tests.ts'] : []),
      ],
      // Built files are Node's to load, not vitest's to transform: a bundler may hide what a user would see.
      server: { deps: { external: [/\/dist\/.*\.js$/] } },
      restoreMocks: true,
      unstubEnvs: true,
    },
  }
}

/** 'holdfast' and its subpaths, as the sources or as the built package. */
function holdfastAs(kind: 'source' | 'built'): Array<{ find: RegExp; replacement: string }> {
  return entryPoints().map((entry) => ({
    find: new RegExp(`^${entry.specifier}$`),
    replacement: fileURLToPath(new URL(entry[kind], import.meta.url)),
  }))
}
