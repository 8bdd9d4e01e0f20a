import { entryPoints } from './tools/entry-points.mjs'

/** @type {import('knip').KnipConfig} */
export default {
  entry: [
    ...entryPoints().map(({ source }) => source.slice('./'.length)),
    'src/cli/main.ts',
    'src/compat/*/commonjs.ts',
    'tools/{build,build-before-tests,check,run,setup,start,test}.mjs',
    'examples/*.ts',
    'examples/**/{main,picture}.ts',
    'proof/*.ts',
    'proof/faults/filler.ts',
    'proof/mutants/{load,hooks}.ts',
    'proof/simulation/searcher.ts',
    'proof/site/server.ts',
    'bench/*.ts',
    'test/**/*.test.ts',
    'test/programs/*.ts',
    'test/dist/consumer/{drop-in,csurf,connect-redis}/types/*.ts',
    'test-types/**/*.ts',
  ],
  project: ['src/**/*.ts', 'tools/**/*.mjs', '{examples,proof,bench,test}/**/*.ts'],
  // Run by path, or by another of them; and what the drop-in's types are taken from, which its users have.
  ignoreDependencies: [
    '@arethetypeswrong/cli',
    'express-session',
    'csurf',
    'oxlint',
    'oxlint-tsgolint',
    'publint',
    'typescript-5.9',
  ],
  // From the system's packages, for measuring, for namespaces and for certificates.
  ignoreBinaries: ['ip', 'openssl', 'redis-server', 'taskset', 'unshare', 'wrk'],
  ignoreExportsUsedInFile: true,
}
