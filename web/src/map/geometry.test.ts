import { expect, test } from 'vitest'
import * as bits from '../lib/bits'
import { box, inside, type Point, rowsIn, simplify } from './geometry'

const ARROW: Point[] = [
  [0, 0],
  [4, 0],
  [4, 4],
  [2, 1],
  [0, 4],
] // concave

test('inside a concave polygon, by hand', () => {
  expect(inside(ARROW, 1, 1)).toBe(true)
  expect(inside(ARROW, 2, 0.5)).toBe(true)
  expect(inside(ARROW, 2, 2)).toBe(false) // in the notch
  expect(inside(ARROW, 3.8, 3)).toBe(true)
  expect(inside(ARROW, 5, 1)).toBe(false)
  expect(inside(ARROW, -1, 0.5)).toBe(false)
})

test('a lasso takes the rows inside it, and none that the filter leaves out', () => {
  const x = Float32Array.from({ length: 400 }, (_, i) => (i % 20) + 0.5)
  const y = Float32Array.from({ length: 400 }, (_, i) => Math.floor(i / 20) + 0.5)
  const chosen = rowsIn(box([2, 3], [6, 5]), x, y, null)
  const rows = [...x.keys()].filter((i) => bits.has(chosen, i))
  expect(rows).toEqual([62, 63, 64, 65, 82, 83, 84, 85]) // columns 2..5 of lines 3 and 4
  const odd = bits.of(
    400,
    rows.filter((r) => r % 2),
  )
  const fewer = rowsIn(box([2, 3], [6, 5]), x, y, odd)
  expect([...x.keys()].filter((i) => bits.has(fewer, i))).toEqual([63, 65, 83, 85])
})

test('a simplified path keeps its corners and stays within the tolerance', () => {
  const path: Point[] = []
  for (let i = 0; i <= 100; i++) path.push([i / 100, 0.001 * Math.sin(i)])
  for (let i = 0; i <= 100; i++) path.push([1, i / 100])
  const simple = simplify(path, 0.01)
  expect(simple[0]).toEqual(path[0])
  expect(simple.at(-1)).toEqual([1, 1])
  expect(simple.length).toBeLessThan(6)
  expect(simple.some(([x, y]) => Math.hypot(x - 1, y) < 0.02)).toBe(true)
})
