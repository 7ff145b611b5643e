import { expect, test } from 'vitest'
import { lastLine, signed } from './words'

test('effects have a sign, and 0 has none', () => {
  expect(signed(0.8349, true)).toBe('+0.83')
  expect(signed(-3.2, true)).toBe('−3.20')
  expect(signed(-0.001, true)).toBe('0')
  expect(signed(-0.0012345, false)).toBe('−0.00123')
  expect(signed(null, true)).toBe('–')
})

test('the reason of a failure is the last line of its text', () => {
  expect(lastLine('Traceback\n  File "a"\nValueError: no memory\n')).toBe('ValueError: no memory')
  expect(lastLine(null)).toBe('no reason was given')
})
