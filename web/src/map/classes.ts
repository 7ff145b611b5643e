// Which colour class each row has. Classes are ordered: a smaller one is drawn over a larger one, so the best is on top.
import type { Column } from '../lib/api'
import type * as bits from '../lib/bits'
import { type RGB, STEPS, sequential, TIERS, token } from '../lib/colours'
import type { Values } from '../lib/columns.svelte'
import { scaleFor } from './scale'

export const UNKNOWN = 250 // a row without a value
export const DIM = 252 // a row outside the selection
export const HIDDEN = 255 // a row that the filter leaves out
const NO_TIER = 255

/** Classes by value, 0 for the best; where neither end is better, 0 for the highest. */
export function classify(column: Column, values: Values, into: Uint8Array): Uint8Array {
  if (column.dtype === 'uint8') {
    for (let i = 0; i < into.length; i++) into[i] = values[i] === NO_TIER ? UNKNOWN : values[i]
    return into
  }
  const { up } = scaleFor(column, values)
  const [worst, best] = ends(column).map(up)
  const factor = (STEPS - 1) / (best - worst || 1)
  for (let i = 0; i < into.length; i++) {
    const step = STEPS - 1 - Math.round((up(values[i]) - worst) * factor)
    into[i] = Number.isNaN(step) ? UNKNOWN : Math.min(STEPS - 1, Math.max(0, step))
  }
  return into
}

/** Tiers by cut-offs of the score, the best first. */
export function classifyBy(edges: number[], scores: Values, into: Uint8Array): Uint8Array {
  for (let i = 0; i < into.length; i++) {
    const tier = edges.findIndex((edge) => scores[i] >= edge)
    into[i] = Number.isNaN(scores[i]) ? UNKNOWN : tier < 0 ? edges.length : tier
  }
  return into
}

/** The values at the two ends of the scale, the end that stands out last. */
export function ends(column: Column): [number, number] {
  const low = column.low ?? 0
  const high = column.high ?? 1
  return column.better === 'low' ? [high, low] : [low, high]
}

/** Hides what the filter leaves out, dims what the selection leaves out. */
export function emphasise(
  classes: Uint8Array,
  filter: bits.Bits | null,
  selection: bits.Bits | null,
  into: Uint8Array,
): Uint8Array {
  if (!filter && !selection) {
    into.set(classes)
    return into
  }
  for (let i = 0; i < into.length; i++) {
    const bit = 1 << (i & 7)
    if (filter && !(filter[i >> 3] & bit)) into[i] = HIDDEN
    else into[i] = selection && !(selection[i >> 3] & bit) ? DIM : classes[i]
  }
  return into
}

/** 256 x RGBA. tiers: whether classes 0..4 are tiers; else 0..STEPS-1 are steps of the scale. */
export function palette(tiers: boolean, dark: boolean): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(256 * 4)
  const put = (index: number, [r, g, b]: RGB, alpha = 255) => out.set([r, g, b, alpha], index * 4)
  if (tiers) for (let t = 0; t < TIERS; t++) put(t, token(`tier-${t + 1}`))
  else for (let s = 0; s < STEPS; s++) put(s, sequential(s / (STEPS - 1), dark))
  put(UNKNOWN, token('unknown'))
  put(DIM, token('unknown'), 90)
  return out
}
