import { describe, expect, test } from 'vitest'
import type { Column } from '../lib/api'
import { makeAxis } from './axis'

const column = (given: Partial<Column>): Column => ({
  name: 'c',
  label: 'c',
  unit: '',
  kind: 'cost',
  dtype: 'float32',
  low: 0,
  high: 10,
  known: 3,
  better: 'low',
  hash: '',
  ...given,
})

test('a linear axis places values by their share and finds them again', () => {
  const axis = makeAxis(column({}), new Float32Array([0, 5, 10]))
  expect([...axis.shares]).toEqual([0, 0.5, 1])
  expect(axis.toValue(0.25)).toBeCloseTo(2.5)
  expect(axis.ticks(0, 1, 5).map((t) => t.text)).toEqual(['0', '2', '4', '6', '8', '10'])
})

test('a cost over many magnitudes gets a logarithmic axis', () => {
  const axis = makeAxis(column({ low: 1e5, high: 1e7 }), new Float32Array([1e5, 1e6, 1e7]))
  expect(axis.kind).toBe('log')
  expect(axis.shares[1]).toBeCloseTo(0.5, 5)
  expect(axis.toValue(0.5)).toBeCloseTo(1e6, 0)
})

test('rows without a value lie in a band below all others, each always at the same place', () => {
  const values = new Float32Array([Number.NaN, 0, 10, Number.NaN])
  const axis = makeAxis(column({ kind: 'result', known: 2, better: 'high' }), values)
  expect(axis.band).toBeGreaterThan(0)
  for (const row of [0, 3]) expect(axis.shares[row]).toBeLessThan(axis.band)
  expect(axis.shares[1]).toBeCloseTo(axis.band)
  expect(axis.shares[2]).toBe(1)
  expect(makeAxis(column({ kind: 'result', known: 2 }), values).shares[0]).toBe(axis.shares[0])
})

describe('scores of which a few are far below the rest', () => {
  const scores = new Float32Array([10, 40, 88, 90, 90.5, 90.8, 91, 91.2, 91.4, 91.6])
  const axis = makeAxis(column({ kind: 'result', better: 'high', low: 10, high: 91.6, known: 10 }), scores)

  test('the better half gets room', () => {
    expect(axis.kind).toBe('gap')
    expect(axis.shares[9] - axis.shares[4]).toBeGreaterThan(0.2) // linear: 0.013
    expect([...axis.shares]).toEqual([...axis.shares].sort((a, b) => a - b))
  })

  test('values come back, and ticks are round and apart', () => {
    for (const v of [10, 60, 91, 91.6]) expect(axis.toValue(axis.toShare(v))).toBeCloseTo(v, 6)
    const ticks = axis.ticks(0, 1, 7)
    expect(ticks.length).toBeGreaterThan(3)
    for (let i = 1; i < ticks.length; i++) expect(ticks[i].share - ticks[i - 1].share).toBeGreaterThan(0.09)
  })

  test('a value told later that is above the best so far stays drawable', () => {
    expect(Number.isFinite(axis.toShare(93))).toBe(true)
  })
})

test('tiers are rows of their own, the best on top', () => {
  const tiers = new Uint8Array([0, 4, 255, 0])
  const axis = makeAxis(column({ kind: 'predicted', dtype: 'uint8', low: 0, high: 4 }), tiers)
  expect(axis.shares[0]).toBeGreaterThan(0.8)
  expect(axis.shares[3]).not.toBe(axis.shares[0]) // spread out
  expect(axis.shares[1]).toBeGreaterThan(axis.band)
  expect(axis.shares[1]).toBeLessThan(0.3)
  expect(axis.shares[2]).toBeLessThan(axis.band)
  expect(axis.ticks(0, 1, 5).map((t) => t.text)).toEqual(['1', '2', '3', '4', '5'])
})
