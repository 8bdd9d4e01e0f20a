/** `npx holdfast`, as the package brings it. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'

import { redisConf } from 'holdfast/redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { installPackage, type InstalledPackage } from './installed-package.ts'

let installed: InstalledPackage
let program: string
let version: string

beforeAll(async () => {
  installed = await installPackage()
  const manifest = JSON.parse(await readFile(path.join(installed.folder, 'package.json'), 'utf8')) as {
    version: string
    bin: { holdfast: string }
  }
  version = manifest.version
  program = path.join(installed.folder, manifest.bin.holdfast)
})

afterAll(() => installed.remove())

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

const PASSWORDS = {
  HOLDFAST_REDIS_PASSWORD: 'the password of holdfast',
  HOLDFAST_REDIS_OPERATOR_PASSWORD: 'the password of the operator',
  HOLDFAST_REDIS_REPLICATION_PASSWORD: 'the password of replicas',
  HOLDFAST_REDIS_SENTINEL_PASSWORD: 'the password of sentinels',
}
const passwords = {
  holdfast: PASSWORDS.HOLDFAST_REDIS_PASSWORD,
  operator: PASSWORDS.HOLDFAST_REDIS_OPERATOR_PASSWORD,
  replication: PASSWORDS.HOLDFAST_REDIS_REPLICATION_PASSWORD,
  sentinel: PASSWORDS.HOLDFAST_REDIS_SENTINEL_PASSWORD,
}

function holdfast(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { env: { PATH: process.env['PATH'], ...env } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
}

describe('holdfast', () => {
  it('is a program of Node’s', async () => {
    expect(await readFile(program, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  it('--help names its commands', async () => {
    const { code, out, err } = await holdfast(['--help'])
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('redis-conf')
  })

  it('--version says which it is', async () => {
    expect(await holdfast(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })

  it.each([[[]], [['nonsense']], [['toString']], [['--nonsense']]])(
    '%j is answered with what is there, and 2',
    async (args) => {
      const { code, out, err } = await holdfast(args)
      expect([code, out]).toEqual([2, ''])
      expect(err).toContain('holdfast --help')
    },
  )
})

describe('holdfast redis-conf', () => {
  it('--help names its options and the variables of the passwords', async () => {
    const { code, out } = await holdfast(['redis-conf', '--help'])
    expect(code).toBe(0)
    for (const said of ['--memory', '--role', ...Object.keys(PASSWORDS)]) expect(out).toContain(said)
    expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(120)
  })

  it.each<[string[], Parameters<typeof redisConf>[0]]>([
    [['--memory', '1gb'], { memory: '1gb', passwords: { holdfast: passwords.holdfast, operator: passwords.operator } }],
    [
      ['--memory=1gb', '--replicas=2', '--min-replicas=2', '--bind=10.0.0.5', '--bind=127.0.0.1', '--dir=/srv/redis'],
      {
        memory: '1gb',
        replicas: 2,
        minReplicas: 2,
        bind: ['10.0.0.5', '127.0.0.1'],
        directory: '/srv/redis',
        passwords,
      },
    ],
    [
      ['--role', 'replica', '--memory', '1gb', '--primary', '[::1]:7000', '--announce', 'redis-2', '--name', 'shop'],
      {
        role: 'replica',
        memory: '1gb',
        primary: { host: '::1', port: 7000 },
        announce: { host: 'redis-2' },
        name: 'shop',
        passwords,
      },
    ],
    [
      [
        '--role',
        'sentinel',
        '--primary',
        '10.0.0.1',
        '--primary-name',
        'shop',
        '--sentinels',
        '5',
        '--down-after',
        '2s',
      ],
      {
        role: 'sentinel',
        primary: { host: '10.0.0.1', name: 'shop' },
        sentinels: 5,
        downAfter: '2s',
        passwords: { holdfast: passwords.holdfast, operator: passwords.operator, sentinel: passwords.sentinel },
      },
    ],
    [
      ['--role', 'cluster', '--memory', '1gb', '--tls-cert=/c', '--tls-key=/k', '--tls-ca=/a', '--tls-clients'],
      {
        role: 'cluster',
        memory: '1gb',
        tls: { cert: '/c', key: '/k', ca: '/a', clientCertificates: true },
        passwords: { holdfast: passwords.holdfast, operator: passwords.operator, replication: passwords.replication },
      },
    ],
  ])('%j prints what redisConf answers', async (args, options) => {
    expect(await holdfast(['redis-conf', ...args], PASSWORDS)).toEqual({ code: 0, out: redisConf(options), err: '' })
  })

  it('knows how much memory this machine has', async () => {
    const { out } = await holdfast(['redis-conf', '--memory', 'machine', '--reserve', '100mb'], PASSWORDS)
    expect(out).toMatch(/^maxmemory \d+[mg]b$/m)
  })

  it('makes passwords up where there are none, and shows them once, beside the file', async () => {
    const first = await holdfast(['redis-conf', '--memory', '1gb', '--replicas', '1'])
    const pairs = Array.from(
      first.err.matchAll(/^(\w+)=(\S+)$/gm),
      ([, name = '', value = '']) => [name, value] as const,
    )
    const shown: Record<string, string> = Object.fromEntries(pairs)
    expect(Object.keys(shown)).toEqual(Object.keys(PASSWORDS))
    expect(first.out).not.toContain(shown['HOLDFAST_REDIS_PASSWORD'])
    expect(await holdfast(['redis-conf', '--memory', '1gb', '--replicas', '1'], shown)).toEqual({ ...first, err: '' })
    const second = await holdfast(['redis-conf', '--memory', '1gb', '--replicas', '1'])
    expect(second.out).not.toBe(first.out)
  })

  it.each([
    [['--nonsense'], '--nonsense'],
    [['--memory'], '--memory'],
    [['--memory', 'much'], '--memory'],
    [[], '--memory'],
    [['--memory', '1gb', 'stray'], 'stray'],
    [['--memory', '1gb', '--password', 'x'], '--password'],
    [['--memory', '1gb', '--role', 'master'], '--role'],
    [['--memory', '1gb', '--quorum', '2'], '--quorum'],
    [['--memory', '1gb', '--reserve', '1mb'], '--reserve'],
    [['--memory', 'machine', '--reserve', 'x'], '--reserve'],
    [['--memory', '1gb', '--port', 'x'], '--port'],
    [['--memory', '1gb', '--announce', ':1'], '--announce'],
    [['--memory', '1gb', '--tls-cert', '/c'], '--tls-key'],
    [['--memory', '1gb', '--min-replicas', '3'], '--min-replicas'],
    [['--memory', '1gb', '--role', 'replica'], '--primary'],
    [['--role', 'sentinel', '--primary', 'x', '--primary-name', 'a b'], '--primary-name'],
  ])('%j is refused with 2, and the name of what is wrong', async (args, name) => {
    const { code, out, err } = await holdfast(['redis-conf', ...args], PASSWORDS)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(name)
    expect(err).not.toContain('    at ')
  })

  it('makes up nothing for a server that has to fit to others', async () => {
    const { code, out, err } = await holdfast(['redis-conf', '--role', 'sentinel', '--primary', 'x'])
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('HOLDFAST_REDIS_PASSWORD')
  })

  it('refuses a weak password by the name of its variable', async () => {
    const { code, err } = await holdfast(['redis-conf', '--memory', '1gb'], {
      ...PASSWORDS,
      HOLDFAST_REDIS_PASSWORD: 'weak',
    })
    expect([code, err.includes('HOLDFAST_REDIS_PASSWORD: '), err.includes('weak')]).toEqual([2, true, false])
  })
})
