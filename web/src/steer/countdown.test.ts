import { expect, test } from 'vitest'
import { elapsedShare, untilText } from './countdown'

test.each([
  [0, '0 s'],
  [59, '59 s'],
  [60, '1:00'],
  [185, '3:05'],
  [7440, '2:04:00'],
])('%d seconds read as %s', (seconds, text) => expect(untilText(1_000 + seconds, 1_000)).toBe(text))

test('a countdown reaches 0 when it is due, and stays there', () => {
  expect(untilText(1000, 987.2)).toBe('13 s')
  expect(untilText(1000, 1000)).toBe('0 s')
  expect(untilText(1000, 2000)).toBe('0 s')
})

test('the share that is over runs from 0 to 1, whatever the clocks say', () => {
  expect(elapsedShare(100, 20, 80)).toBe(0)
  expect(elapsedShare(100, 20, 95)).toBe(0.75)
  expect(elapsedShare(100, 20, 130)).toBe(1)
  expect(elapsedShare(100, 20, 60)).toBe(0)
  expect(elapsedShare(100, 0, 100)).toBe(1)
})
