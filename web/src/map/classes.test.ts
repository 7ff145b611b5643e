import { expect, test } from 'vitest'
import type { Column } from '../lib/api'
import * as bits from '../lib/bits'
import { classify, classifyBy, DIM, emphasise, HIDDEN, UNKNOWN } from './classes'
import { defaultAxes, defaultColour } from './defaults'
import { topRows } from './top'

const POINTS = 423_624
const column = (name: string, given: Partial<Column> = {}): Column => ({
  name,
  label: name,
  unit: '',
  kind: 'cost',
  dtype: 'float32',
  low: 0,
  high: 1,
  known: POINTS,
  better: null,
  hash: '',
  ...given,
})

test('the best value has the first class, whichever end that is; no value has a class of its own', () => {
  const values = new Float32Array([0, 0.5, 1, Number.NaN])
  const of = (better: Column['better']) => [...classify(column('c', { better }), values, new Uint8Array(4))]
  expect(of('high')).toEqual([249, 124, 0, UNKNOWN])
  expect(of('low')).toEqual([0, 124, 249, UNKNOWN])
})

test('tiers are their own classes, and moved cut-offs cut the score', () => {
  const tiers = column('tier', { dtype: 'uint8', kind: 'predicted' })
  expect([...classify(tiers, new Uint8Array([0, 4, 255]), new Uint8Array(3))]).toEqual([0, 4, UNKNOWN])
  const scores = new Float32Array([95, 90, 89.9, 10, Number.NaN])
  expect([...classifyBy([90, 80, 70, 60], scores, new Uint8Array(5))]).toEqual([0, 0, 1, 4, UNKNOWN])
})

test('the filter hides, the selection dims', () => {
  const classes = new Uint8Array([1, 2, 3, 4])
  const filter = bits.of(4, [0, 1, 2])
  const selected = bits.of(4, [0, 3])
  expect([...emphasise(classes, null, null, new Uint8Array(4))]).toEqual([1, 2, 3, 4])
  expect([...emphasise(classes, filter, null, new Uint8Array(4))]).toEqual([1, 2, 3, HIDDEN])
  expect([...emphasise(classes, filter, selected, new Uint8Array(4))]).toEqual([1, DIM, DIM, HIDDEN])
})

test('the top share counts rows with a value, and takes ties', () => {
  const values = Float32Array.from({ length: 200 }, (_, i) => (i < 100 ? Number.NaN : i))
  expect(topRows(values, 0.05)).toEqual([195, 196, 197, 198, 199])
  expect(topRows(new Float32Array([3, 3, 1]), 0.01)).toEqual([0, 1])
  expect(topRows(new Float32Array([Number.NaN]), 0.01)).toEqual([])
})

test('the first view shows what is known: predictions, else results, else the embedding', () => {
  const all = [
    column('map_x', { kind: 'position' }),
    column('flops'),
    column('params'),
    column('result', { kind: 'result' }),
    column('predicted', { kind: 'predicted' }),
    column('tier', { kind: 'predicted' }),
  ]
  const without = (...names: string[]) => all.map((c) => (names.includes(c.name) ? { ...c, known: 0 } : c))
  expect([...defaultAxes(all), defaultColour(all)]).toEqual(['params', 'predicted', 'tier'])
  expect([...defaultAxes(without('predicted', 'tier')), defaultColour(without('predicted', 'tier'))]).toEqual([
    'params',
    'result',
    'result',
  ])
  expect(defaultAxes(without('predicted', 'tier', 'result'))).toEqual(['map_x', 'map_y'])
})

test('the map of 423,624 points needs at most 3 MB before compression as positions, tiers and accuracy', () => {
  const bytes = { uint8: 1, uint16: 2, float32: 4, float64: 8 }
  const shown = [
    column('map_x', { dtype: 'uint16' }),
    column('map_y', { dtype: 'uint16' }),
    column('tier', { dtype: 'uint8' }),
  ]
  expect(shown.reduce((sum, c) => sum + bytes[c.dtype] * POINTS, 0)).toBeLessThanOrEqual(3_000_000)
})
