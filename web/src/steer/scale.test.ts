import { expect, test } from 'vitest'
import { effectColour, markSide, reach } from './scale'

test('the scale reaches as far as the strongest effect that can be relied on', () => {
  const cell = (effect: number | null, thin: boolean) => ({ effect, thin })
  expect(reach([cell(0.5, false), cell(-2, false), cell(-53, true), cell(null, false)])).toBe(2)
  expect(reach([cell(3, true), cell(-1, true)])).toBe(3)
  expect(reach([cell(null, true)])).toBe(0)
})

test('equal strength looks equally strong on both sides of 0', () => {
  const [up, down] = [effectColour(1, 4), effectColour(-1, 4)]
  expect(up).toContain('high) 25%')
  expect(down).toContain('low) 25%')
  expect(effectColour(9, 4)).toContain('100%')
})

test('without an effect, and where all are 0, it is even', () => {
  expect(effectColour(null, 4)).toBe('var(--zero)')
  expect(effectColour(0, 0)).toBe('var(--zero)')
})

test('the area of a mark is in proportion to the count, and a rare option can be seen', () => {
  const side = markSide([100, 0, 25, 1], 20)
  expect(side(100)).toBe(20)
  expect(side(25)).toBe(10)
  expect(side(0)).toBe(0)
  expect(side(1)).toBe(3)
})
