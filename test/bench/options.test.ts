import { describe, expect, it } from 'vitest'

import { HELP, type Options, readTask } from '../../bench/options.ts'

function optionsOf(...args: string[]): Options {
  const task = readTask(args)
  if (task.task !== 'measure') throw new Error(`${task.task} is not measured`)
  return task.options
}

describe('npm run bench', () => {
  it('is a full run where nothing is chosen, and only there', () => {
    expect(optionsOf().full).toBe(true)
    expect(optionsOf('--json').full).toBe(true)
    expect(optionsOf('--rounds', '6').full).toBe(false)
    expect(optionsOf('--quick').full).toBe(false)
  })

  it('brings the bare framework of every contender, and takes * for anything', () => {
    const ids = optionsOf('--contenders', 'koa-session,express-holdfast-*').contenders.map(({ id }) => id)
    expect(ids).toEqual([
      'express',
      'koa',
      'express-holdfast-memory',
      'express-holdfast-lmdb',
      'express-holdfast-redis',
      'express-holdfast-redis-far',
      'koa-session',
    ])
  })

  it('measures several processes by what they do to each other, unless it is told otherwise', () => {
    expect(optionsOf().worksOfSeveral).toEqual(['read', 'write'])
    expect(optionsOf('--only', 'form,read,scale').worksOfSeveral).toEqual(['read', 'form'])
  })

  it.each([
    [['--only', 'reed'], 'reed'],
    [['--contenders', 'nobody'], 'nobody'],
    [['--rounds', '0'], '--rounds takes'],
    [['--processes', 'many'], '--processes takes'],
    [['--speed', 'more'], '--speed'],
    [['somewhere'], 'somewhere'],
  ])('refuses %j', (args, complaint) => {
    expect(() => readTask(args)).toThrow(complaint)
  })

  it('says what can be chosen', () => {
    expect(readTask(['--help'])).toEqual({ task: 'help' })
    for (const word of ['read', 'latency', 'hono-sessions', '--quick']) expect(HELP).toContain(word)
  })
})
