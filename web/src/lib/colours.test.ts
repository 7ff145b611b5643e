import { expect, test } from 'vitest'
import { css, hex, mix, type RGB, sequential } from './colours'

/** Relative luminance (WCAG 2). */
function luminance([r, g, b]: RGB): number {
  const part = (c: number) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4)
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)
}

test('the scale runs steadily away from the page, so that its order is seen without hue', () => {
  for (const dark of [false, true]) {
    const light = Array.from({ length: 51 }, (_, k) => luminance(sequential(k / 50, dark)))
    for (let k = 1; k < light.length; k++)
      expect(dark ? light[k - 1] - light[k] : light[k] - light[k - 1]).toBeGreaterThan(0)
  }
})

test('the two ends are those of cividis, and shares outside are cut', () => {
  expect(sequential(0, false)).toEqual([0, 34, 78])
  expect(sequential(0, true)).toEqual([253, 234, 69])
  expect(sequential(-1, false)).toEqual(sequential(0, false))
  expect(sequential(2, true)).toEqual(sequential(1, true))
})

test('colours are mixed and written', () => {
  expect(mix(hex('#000000'), hex('#ff8000'), 0.5)).toEqual([128, 64, 0])
  expect(css([1, 2, 3])).toBe('rgb(1 2 3)')
})
