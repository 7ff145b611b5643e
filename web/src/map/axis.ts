// An axis of the map: values of a column as shares 0..1 of its range.
import type { Column } from '../lib/api'
import type { Values } from '../lib/columns.svelte'
import { short } from '../lib/format'
import { type Scale, scaleFor, ticks } from './scale'

const BAND = 0.07 // of the axis: where rows without a value are
const FILLED = 0.8 // of the band
const WIDE = 0.6 // of a step: how far rows of one tier are spread out
const NO_BYTE = 255
const LARGEST_POSITION = 65535

export interface Axis {
  name: string
  label: string
  kind: Scale['kind'] | 'steps' // steps: small whole numbers, the least on top, spread out
  shares: Float32Array<ArrayBuffer> // one a row; those without a value lie in [0, band)
  band: number // share of the axis where rows without a value are; 0: there are none
  bare: boolean // a position: no ticks
  toShare: (value: number) => number
  toValue: (share: number) => number
  ticks: (from: number, to: number, about: number) => { share: number; text: string }[]
}

export function makeAxis(column: Column, values: Values): Axis {
  const { low, high } = range(column)
  if (column.dtype === 'uint8') return stepAxis(column, values, low, high)
  const scale = scaleFor(column, values)
  const band = column.known < values.length ? BAND : 0
  const from = scale.up(low)
  const factor = (1 - band) / (scale.up(high) - from)
  const toShare = (value: number) => band + (scale.up(value) - from) * factor
  const toValue = (share: number) => scale.down(from + (share - band) / factor)
  const shares = new Float32Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const share = toShare(values[i])
    shares[i] = Number.isFinite(share) ? share : jitter(i) * band * FILLED
  }
  const bare = column.kind === 'position'
  const marks = (left: number, right: number, about: number) =>
    ticks(scale, toValue(Math.max(band, left)), toValue(Math.min(1.05, right)), about).map((v) => ({
      share: toShare(v),
      text: short(v, column.unit),
    }))
  const { name, label } = column
  return { name, label, kind: scale.kind, shares, band, bare, toShare, toValue, ticks: bare ? () => [] : marks }
}

function stepAxis({ name, label }: Column, values: Values, low: number, high: number): Axis {
  const band = values.some((v) => v === NO_BYTE) ? BAND : 0
  const step = (1 - band) / (high - low + 1)
  const toShare = (value: number) => band + (high - value + 0.5) * step
  const toValue = (share: number) => high + 0.5 - (share - band) / step
  const shares = Float32Array.from(values, (value, row) =>
    value === NO_BYTE ? jitter(row) * band * FILLED : toShare(value) + WIDE * (jitter(row) - 0.5) * step,
  )
  const all = Array.from({ length: high - low + 1 }, (_, k) => low + k)
  const marks = () => all.map((v) => ({ share: toShare(v), text: String(v + 1) }))
  return { name, label, kind: 'steps', shares, band, bare: false, toShare, toValue, ticks: marks }
}

function range(column: Column): { low: number; high: number } {
  if (column.kind === 'position') return { low: 0, high: LARGEST_POSITION }
  const low = column.low ?? 0
  const high = column.high ?? 1
  if (column.dtype === 'uint8') return { low, high: Math.max(low, high) }
  return high > low ? { low, high } : { low: low - 0.5, high: high + 0.5 }
}

/** A number in [0, 1) that belongs to the row, so that a point never moves. */
export function jitter(row: number): number {
  return (Math.imul(row + 1, 0x9e3779b1) >>> 8) / 0x1000000
}
