// Scales of the map's axes: linear, logarithmic, or by the logarithm of the gap to the best.
import { ticks as niceTicks } from 'd3-array'
import type { Column } from '../lib/api'
import type { Values } from '../lib/columns.svelte'

export interface Scale {
  kind: 'linear' | 'log' | 'gap'
  up: (value: number) => number // increasing
  down: (u: number) => number
}

const SPREAD = 50 // a cost that spans this factor is shown by its logarithm
const CROWDED = 0.12 // the best quarter of the scores lies in less than this part of their range: it gets more room
const SAMPLE = 5_000

const LINEAR: Scale = { kind: 'linear', up: (v) => v, down: (u) => u }
const LOG: Scale = { kind: 'log', up: Math.log, down: Math.exp }

export function scaleFor(column: Column, values: Values): Scale {
  const { low, high } = column
  if (low === null || high === null || !(high > low)) return LINEAR
  if (column.kind === 'cost' && low > 0 && high / low >= SPREAD) return LOG
  if (column.better !== 'high' || column.dtype === 'uint8') return LINEAR
  const gap = high - upperQuartile(values)
  return gap > 0 && gap < CROWDED * (high - low) ? gapScale(high + gap / 2) : LINEAR
}

/** Room by the logarithm of what is missing to a ceiling above the best: a few failures do not press the rest together. */
function gapScale(ceiling: number): Scale {
  const least = 1e-9 * Math.abs(ceiling) // values told since may lie above the ceiling
  return { kind: 'gap', up: (v) => -Math.log(Math.max(least, ceiling - v)), down: (u) => ceiling - Math.exp(-u) }
}

function upperQuartile(values: Values): number {
  const stride = Math.max(1, Math.floor(values.length / SAMPLE))
  const some: number[] = []
  const take = (step: number) => {
    for (let i = 0; i < values.length; i += step) if (Number.isFinite(values[i])) some.push(values[i])
  }
  take(stride)
  if (some.length < 100 && stride > 1) {
    some.length = 0
    take(1)
  }
  return some.sort((a, b) => a - b)[Math.floor(some.length * 0.75)]
}

/** About so many round values between two, evenly spread on the scale, in rising order. */
export function ticks(scale: Scale, low: number, high: number, about: number): number[] {
  if (!(high > low) || !Number.isFinite(high - low)) return []
  const even = niceTicks(low, high, about)
  if (scale.kind === 'linear') return even
  const [from, to] = [scale.up(low), scale.up(high)]
  const parts = Math.max(2, Math.round(about))
  const border = (k: number) => scale.down(from + ((to - from) * k) / parts)
  const finer = Array.from({ length: parts }, (_, k) => niceTicks(border(k), border(k + 1), 1)).flat()
  const chosen: number[] = []
  for (const value of [...even, ...finer]) {
    const apart = (other: number) => Math.abs(scale.up(other) - scale.up(value)) * about >= 0.7 * (to - from)
    if (value >= low && value <= high && chosen.every(apart)) chosen.push(value)
  }
  return chosen.sort((a, b) => a - b)
}
