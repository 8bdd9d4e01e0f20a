/** A run of half a minute as the report is given it: an outage of two seconds, in which one request breaks and one is refused. */
import { check } from '../../../proof/checker/check.ts'
import type { Run } from '../../../proof/history/history.ts'
import type { Report, Shown } from '../../../proof/report/shown.ts'
import { Story } from '../checker/story.ts'

/** Answers every half second but between 10 and 12.5 s; a change that was acknowledged at the end is gone. */
export function brokenStory(name = 'primary killed (kill -9)', run: Partial<Run> = {}): Story {
  const story = new Story({ versions: { node: 'v22.0.0' }, seconds: 30, ...run })
  const answered = (from: number, until: number): void => {
    for (let at = from; at < until; at += 500) story.tell('read', {}, { began: at, ended: at + 20, server: 'B#1' })
  }
  answered(0, 10_000)
  story.tell('read', {}, { began: 10_100, ended: 10_300, outcome: 'unknown', status: 0, seen: undefined })
  story.tell('read', {}, { began: 11_000, ended: 11_050, outcome: 'refused', status: 503, seen: undefined })
  story.tell('read', {}, { began: 12_200, ended: 12_400, outcome: 'refused', status: 503, seen: undefined })
  answered(12_500, 30_000)
  story.broken({ name, sort: 'outage', began: 10_000, ended: 12_000 })
  story.tell('add', { item: 'v1.0' }, { began: 30_100, ended: 30_110, seen: { cart: ['v1.0'] } })
  story.tell('read', {}, { began: 30_200, ended: 30_230 })
  return story
}

export function shownOf(story: Story, rest: Partial<Shown> = {}): Shown {
  const { history } = story
  return { history, violations: check(history), faulty: false, command: 'npm run proof -- told', ...rest }
}

export function reportOf(...runs: readonly Shown[]): Report {
  return { at: '2026-01-02T03:04:05.678Z', command: 'npm run proof', runs }
}
