import { redisConf, type RedisConfOptions } from 'holdfast/redis'
import { describe, expect, it } from 'vitest'

import { OptionsError } from '../../../../src/errors.ts'
import { all, PASSWORDS, PRIMARY, REPLICA, SENTINEL } from './fixture.ts'

/** The directives of a file: the lines that are neither empty nor comments. */
function lines(options: RedisConfOptions): string[] {
  return redisConf(options)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
}

function refusal(options: unknown): OptionsError {
  try {
    redisConf(options as RedisConfOptions)
  } catch (error) {
    if (error instanceof OptionsError) return error
    throw error
  }
  throw new Error('was accepted')
}

describe.each(all)('the configuration of a %s', (_role, options) => {
  it('has a reason directly above every line', () => {
    const text = redisConf(options).split('\n')
    const bare = text.filter((line, at) => /^[^#]/.test(line) && !/^# [^-]/.test(text[at - 1] ?? ''))
    expect(bare).toEqual([])
  })

  it('sets nothing twice', () => {
    const names = lines(options).map((line) => /^(?:(?:sentinel|user) )?\S+/.exec(line)?.[0])
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
  })

  it('has no line that would be hard to read', () => {
    const comments = redisConf(options)
      .split('\n')
      .filter((line) => line.startsWith('#'))
    expect(Math.max(...comments.map((line) => line.length))).toBeLessThanOrEqual(110)
  })

  it('is the same for the same options', () => {
    expect(redisConf(options)).toBe(redisConf(structuredClone(options)))
  })

  it('lets nobody in without a name', () => {
    expect(lines(options)).toContain('user default off resetpass ~* resetchannels -@all +@write')
    expect(lines(options)).toContain('protected-mode yes')
  })

  it('has passwords as hashes, save those that the server itself presents', () => {
    const text = redisConf(options)
    expect(text).not.toContain(PASSWORDS.holdfast)
    expect(text).not.toContain(PASSWORDS.operator)
    const presented = lines(options).filter((line) => Object.values(PASSWORDS).some((word) => line.includes(word)))
    const may = /^(masterauth|sentinel auth-pass|sentinel sentinel-pass) /
    expect(presented.filter((line) => !may.test(line))).toEqual([])
  })
})

describe('memory', () => {
  const maxmemory = (memory: unknown, replicas = 0): string | undefined =>
    lines({ ...PRIMARY, memory, replicas, minReplicas: 0 } as RedisConfOptions).find((line) =>
      line.startsWith('maxmemory '),
    )

  it('leaves room for a child that sees every page change', () => {
    expect(maxmemory('2gb')).toBe('maxmemory 923mb')
    expect(maxmemory(2 * 1024 ** 3)).toBe('maxmemory 923mb')
  })

  it('says for how many sessions it is, never for more', () => {
    const about = (memory: `${number}mb`): string | undefined =>
      /About ([\d ]+) signed-in/.exec(redisConf({ ...PRIMARY, memory, replicas: 2 }).replaceAll('\n# ', ' '))?.[1]
    expect(about('1150mb')).toBe('1 000 000')
    expect(about('64mb')).toBe('41 000')
  })

  it('has Redis remember reads in a sixteenth of it, and no more of them than it would by itself', () => {
    const tracked = (memory: `${number}${'mb' | 'gb'}`): string[] =>
      lines({ ...PRIMARY, memory }).filter((line) => line.startsWith('tracking-table-max-keys'))
    expect(tracked('64mb')).toEqual(['tracking-table-max-keys 5300'])
    expect(tracked('64gb')).toEqual(['tracking-table-max-keys 1000000'])
  })

  it('leaves room for what replicas may be behind', () => {
    expect(maxmemory('2gb', 1)).toBe('maxmemory 865mb')
  })

  it('is the machine’s, less a tenth that the system keeps, or as much as is said', () => {
    expect(maxmemory({ machine: '10gb' })).toBe(maxmemory('9gb'))
    expect(maxmemory({ machine: '1gb' })).toBe(maxmemory('768mb'))
    expect(maxmemory({ machine: '1gb', reserve: '512mb' })).toBe(maxmemory('512mb'))
    expect(maxmemory({ machine: '1gb', reserve: 0 })).toBe(maxmemory('1gb'))
  })

  it.each([
    ['memory', undefined],
    ['memory', '2'],
    ['memory', '2 gb'],
    ['memory', '2tb'],
    ['memory', -1],
    ['memory', 0.5],
    ['memory', '63mb'],
    ['memory', { machine: '300mb' }],
    ['memory.machine', {}],
    ['memory.reserve', { machine: '4gb', reserve: 'much' }],
    ['memory.reserv', { machine: '4gb', reserv: '1gb' }],
  ])('%s is refused by its name: %j', (option, memory) => {
    expect(refusal({ ...PRIMARY, memory }).option).toBe(option)
  })
})

describe('replicas', () => {
  it('one is not waited for, of two one has to be there', () => {
    expect(lines({ ...PRIMARY, replicas: 1 })).toContain('min-replicas-to-write 0')
    expect(lines({ ...PRIMARY, replicas: 2 })).toContain('min-replicas-to-write 1')
    expect(lines({ ...PRIMARY, replicas: 1, minReplicas: 1 })).toContain('min-replicas-to-write 1')
  })

  it('a primary without any has no section about them', () => {
    const alone = { ...PRIMARY, passwords: { holdfast: PASSWORDS.holdfast } }
    expect(lines(alone).filter((line) => /repl|master/.test(line))).toEqual([])
  })

  it('the primary is ready to become one', () => {
    expect(lines({ ...PRIMARY, replicas: 1 })).toContain('masteruser replication')
    expect(lines({ ...PRIMARY, replicas: 1 }).some((line) => line.startsWith('replicaof'))).toBe(false)
    expect(lines(REPLICA)).toContain('replicaof 10.0.0.1 6379')
  })
})

describe('Sentinels', () => {
  it('a majority has to find the primary down, unless another number is said', () => {
    const monitor = (sentinels?: number, quorum?: number): string | undefined =>
      lines({ ...SENTINEL, sentinels, quorum }).find((line) => line.startsWith('sentinel monitor'))
    expect(monitor()).toBe('sentinel monitor holdfast 10.0.0.1 6379 2')
    expect(monitor(5)).toMatch(/ 3$/)
    expect(monitor(5, 2)).toMatch(/ 2$/)
  })

  it('names are looked up where there are names', () => {
    expect(lines(SENTINEL)).not.toContain('sentinel resolve-hostnames yes')
    expect(lines({ ...SENTINEL, primary: { host: 'redis-1' } })).toContain('sentinel resolve-hostnames yes')
  })
})

describe('values', () => {
  it('with blanks and quotation marks are quoted', () => {
    const password = 'a "quoted" \\ password of 30'
    const text = lines({ ...REPLICA, passwords: { ...PASSWORDS, replication: password } })
    expect(text).toContain('masterauth "a \\"quoted\\" \\\\ password of 30"')
    expect(lines({ ...PRIMARY, directory: '/srv/the sessions' })).toContain('dir "/srv/the sessions"')
  })

  it('that would begin another line are refused', () => {
    for (const replication of ['sixteen letters\nuser evil on nopass', 'sixteen letters\0'])
      expect(() => redisConf({ ...REPLICA, passwords: { ...PASSWORDS, replication } })).toThrow(OptionsError)
  })

  it('the user reaches the keys of one application where it has a name', () => {
    const user = (more: object): string | undefined =>
      lines({ ...PRIMARY, ...more }).find((line) => line.startsWith('user holdfast'))
    expect(user({})).toContain(' ~hf:* ')
    expect(user({ prefix: 'x:', name: 'shop' })).toContain(' ~x:shop:* ')
  })

  it('a password may be given as its hash', () => {
    const sha256 = 'AB'.repeat(32)
    const text = lines({ ...PRIMARY, passwords: { holdfast: { sha256 } } })
    expect(text.find((line) => line.startsWith('user holdfast'))).toContain(` #${'ab'.repeat(32)} `)
  })
})

describe('wrong options are refused by their name', () => {
  it.each<[string, object]>([
    ['role', { ...PRIMARY, role: 'master' }],
    ['role', { ...PRIMARY, role: 'toString' }],
    ['replicaof', { ...PRIMARY, replicaof: 'x' }],
    ['primary', { ...PRIMARY, primary: { host: 'x' } }],
    ['bind', { ...PRIMARY, bind: [] }],
    ['bind', { ...PRIMARY, bind: ['10.0.0.1 protected-mode no'] }],
    ['port', { ...PRIMARY, port: 70_000 }],
    ['directory', { ...PRIMARY, directory: 'here' }],
    ['announce.host', { ...PRIMARY, announce: {} }],
    ['tls.ca', { ...PRIMARY, tls: { cert: '/c', key: '/k' } }],
    ['tls.clientCertificates', { ...PRIMARY, tls: { cert: '/c', key: '/k', ca: '/a', clientCertificates: 'no' } }],
    ['user', { ...PRIMARY, user: 'two words' }],
    ['prefix', { ...PRIMARY, prefix: '*' }],
    ['name', { ...PRIMARY, name: 'a:b' }],
    ['replicas', { ...PRIMARY, replicas: -1 }],
    ['minReplicas', { ...PRIMARY, replicas: 1, minReplicas: 2 }],
    ['passwords.', { ...PRIMARY, passwords: undefined }],
    ['passwords.holdfast', { ...PRIMARY, passwords: {} }],
    ['passwords.holdfast', { ...PRIMARY, passwords: { holdfast: 'short' } }],
    ['passwords.holdfast.sha256', { ...PRIMARY, passwords: { holdfast: { sha256: 'abc' } } }],
    ['passwords.replication', { ...PRIMARY, replicas: 1, passwords: { holdfast: PASSWORDS.holdfast } }],
    ['passwords.replication', { ...REPLICA, passwords: { ...PASSWORDS, replication: { sha256: 'ab'.repeat(32) } } }],
    ['primary.', { ...REPLICA, primary: undefined }],
    ['primary.name', { ...REPLICA, primary: { host: 'x', name: 'y' } }],
    ['primary.name', { ...SENTINEL, primary: { host: 'x', name: 'y z' } }],
    ['memory', { ...SENTINEL, memory: '1gb' }],
    ['quorum', { ...SENTINEL, sentinels: 3, quorum: 4 }],
    ['downAfter', { ...SENTINEL, downAfter: 5000 }],
    ['passwords.sentinel', { ...SENTINEL, passwords: { holdfast: PASSWORDS.holdfast } }],
  ])('%s', (option, options) => {
    const { option: named, message } = refusal(options)
    expect(named).toBe(option)
    for (const password of Object.values(PASSWORDS)) expect(message).not.toContain(password)
  })

  it('no options at all', () => {
    expect(refusal(undefined).code).toBe('ERR_OPTIONS')
  })
})
