import { expect, it } from 'vitest'

import { median, medianRatio, percentile } from '../../bench/statistics.ts'

it('takes the middle value, or the mean of both in the middle', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([9, 1, 5, 7])).toBe(6)
  expect(median([])).toBeNaN()
})

it('takes as a percentile the least value that so many do not exceed', () => {
  const values = Array.from({ length: 1000 }, (_, at) => 1000 - at)
  expect(percentile(values, 0.5)).toBe(500)
  expect(percentile(values, 0.999)).toBe(999)
  expect(percentile(values, 1)).toBe(1000)
  expect(percentile([7], 0.99)).toBe(7)
})

it('compares values of the same round, and not the medians of different ones', () => {
  expect(medianRatio([10, 20, 90], [10, 40, 30])).toBe(1)
})
