// How an effect looks: colour by its size and sign, the size of the mark by how often the option was seen.
import { max } from 'd3-array'
import { scaleSqrt } from 'd3-scale'

interface Seen {
  effect: number | null
  thin: boolean
}

/**
 * The effect at which colours are full: the strongest that rests on more than thin evidence, as a single bad result would
 * outshine all others. The scale is symmetrical about 0, so that equal strength looks equally strong.
 */
export function reach(cells: Seen[]): number {
  const strengths = (some: Seen[]) => some.flatMap(({ effect }) => (effect === null ? [] : [Math.abs(effect)]))
  return max(strengths(cells.filter((cell) => !cell.thin))) || max(strengths(cells)) || 0
}

/** A CSS colour between the theme's worse, even and better; the mixing is the browser's, so themes may change. */
export function effectColour(effect: number | null, most: number): string {
  if (effect === null || most === 0) return 'var(--zero)'
  const strength = Math.round((Math.min(Math.abs(effect), most) / most) * 100)
  return `color-mix(in oklab, var(--${effect < 0 ? 'low' : 'high'}) ${strength}%, var(--zero))`
}

/** Side of the mark of a cell in pixels: its area is in proportion to the count, and what is there can be seen. */
export function markSide(counts: number[], side: number): (count: number) => number {
  const scale = scaleSqrt([0, max(counts) || 1], [0, side])
  return (count) => (count > 0 ? Math.max(3, scale(count)) : 0)
}
