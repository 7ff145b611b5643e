import { expect, test } from 'vitest'
import type { Column } from './api'
import { between, count, duration, result, share, short, value } from './format'

const plain = (text: string) => text.replaceAll('\u202f', ' ')

test('numbers as people write them', () => {
  expect(count(423624)).toBe('423,624')
  expect(count('123456789012345678901234567890')).toBe('123,456,789,012,345,678,901,234,567,890')
  expect(
    [short(1_073_466), short(22.5), short(0.02022, 's'), short(0), short(1.5e-7), short(null), short(Number.NaN)].map(
      plain,
    ),
  ).toEqual(['1.073 M', '22.5', '0.02022 s', '0', '1.50e-7', '–', '–'])
  expect(plain(between(87_670_000, 119_100_000))).toBe('87.7–119 M')
  expect(plain(between(0.0178, 0.0197))).toBe('0.0178–0.0197')
  expect([duration(5), duration(600), duration(7_500), duration(400_000)].map(plain)).toEqual([
    '5 s',
    '10 min',
    '2.1 h',
    '5 days',
  ])
  expect([share(0.81), share(0.004), share(0.999), share(0)].map(plain)).toEqual(['81 %', '0.4 %', '99.9 %', '0 %'])
})

test('labels are percentages where the study says so, predictions where their column does', () => {
  const column = (given: Partial<Column>) => ({ name: 'predicted', kind: 'predicted', unit: '', ...given }) as Column
  expect(plain(result(91.60666, true))).toBe('91.61 %')
  expect(result(0.916066, false)).toBe('0.91607')
  expect(plain(value(column({ unit: '%' }), 91.6, false))).toBe('91.60 %')
  expect(value(column({}), 2.1859, true)).toBe('2.1859')
  expect(value(column({ name: 'tier' }), 0, true)).toBe('tier 1')
  expect(value(column({ name: 'tier' }), 255, true)).toBe('–')
})
