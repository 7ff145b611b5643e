import { expect, test } from 'vitest'
import { spread } from './axis'

test('equal values have room around them', () => {
  expect(spread(80, 90)).toEqual([80, 90])
  const [low, high] = spread(90.1, 90.1)
  expect(low).toBeLessThan(90.1)
  expect(high).toBeGreaterThan(90.1)
  expect(spread(0, 0)).toEqual([-1, 1])
  expect(spread(undefined, undefined)).toEqual([0, 1])
})
