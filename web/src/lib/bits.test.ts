import { expect, test } from 'vitest'
import * as bits from './bits'

const ROWS = 21
const members = (mask: bits.Bits) => Array.from({ length: ROWS }, (_, r) => r).filter((r) => bits.has(mask, r))

test('row r is bit r % 8 of byte r / 8, the least first', () => {
  expect([...bits.of(16, [0, 9])]).toEqual([1, 2])
  expect(bits.toBase64(bits.of(16, [0, 9]))).toBe('AQI=')
  expect([...bits.fromBase64('AQI=')]).toEqual([1, 2])
})

test('sets are combined as sets', () => {
  const a = bits.of(ROWS, [1, 2, 3, 20])
  const b = bits.of(ROWS, [3, 4, 20])
  expect(members(bits.combine(a, b, 'union'))).toEqual([1, 2, 3, 4, 20])
  expect(members(bits.combine(a, b, 'intersect'))).toEqual([3, 20])
  expect(members(bits.combine(a, b, 'subtract'))).toEqual([1, 2])
  expect(members(bits.complement(bits.complement(a, ROWS), ROWS))).toEqual([1, 2, 3, 20])
})

test('the complement has no rows beyond the last', () => {
  expect([...bits.complement(bits.empty(ROWS), ROWS)]).toEqual([255, 255, 31])
  expect(bits.isEmpty(bits.complement(bits.complement(bits.empty(ROWS), ROWS), ROWS))).toBe(true)
})

test('a mask of 423,624 rows goes through base64 whole', () => {
  const large = bits.of(
    423_624,
    Array.from({ length: 1000 }, (_, k) => k * 423),
  )
  expect(large.length).toBe(52_953)
  expect(bits.fromBase64(bits.toBase64(large))).toEqual(large)
})
