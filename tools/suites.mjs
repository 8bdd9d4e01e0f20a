/** The suites of tests: what is in each, what each needs, and how it runs. */

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {string[]} include
 * @property {string[]} exclude
 * @property {'source' | 'built'} against what 'holdfast' is to these tests
 * @property {number} timeout of one test or hook, in milliseconds; meant for a busy machine, not for slow tests
 * @property {boolean} alone one file at a time: suites that start servers would else measure each other
 * @property {boolean} needsBuild these tests start compiled programs
 * @property {boolean} needsPeers these tests use the packages of test/compat/peers
 * @property {import('./setup.mjs').Need[]} needs besides the npm packages
 */

const folders = ['contract', 'flow', 'fault', 'browser', 'dist']

/** @type {readonly Suite[]} in the order in which `npm test` runs them: the quick ones first */
export const suites = [
  suite('unit', {
    include: ['test/**/*.test.ts'],
    exclude: [...folders, 'support', 'programs', '**/node_modules'].map((folder) => `test/${folder}/**`),
    timeout: 30_000,
    needsPeers: true,
    needs: ['redis-server', 'openssl'],
  }),
  suite('contract', { needsBuild: true, needs: ['redis-server'] }),
  suite('dist', { against: 'built', needsBuild: true, needsPeers: true }),
  suite('flow', { alone: true, needsBuild: true, timeout: 120_000, needs: ['redis-server', 'haproxy', 'openssl'] }),
  suite('fault', { needsBuild: true, timeout: 120_000, needs: ['redis-server'] }),
  suite('browser', { alone: true, needsBuild: true, timeout: 120_000, needs: ['haproxy', 'chromium', 'openssl'] }),
]

/**
 * @param {string} name
 * @param {Partial<Suite>} differences
 * @returns {Suite}
 */
function suite(name, differences) {
  return {
    name,
    include: [`test/${name}/**/*.test.ts`],
    exclude: [],
    against: 'source',
    timeout: 60_000,
    alone: false,
    needsBuild: false,
    needsPeers: false,
    needs: [],
    ...differences,
  }
}
