// Tiers as rules, and ridgelines as paths.
import { area, curveBasis, line } from 'd3-shape'

/** The rule of the members of a tier (0 the best); in rules tiers count from 1. edges: moved cut-offs. */
export function tierRule(index: number, edges: number[] | null): string {
  if (!edges) return `tier == ${index + 1}`
  const least = index < edges.length ? `predicted >= ${edges[index]}` : ''
  const most = index > 0 ? `predicted < ${edges[index - 1]}` : ''
  return [least, most].filter(Boolean).join(' and ')
}

/** A rule about a column between two values, or null where its name cannot stand in a rule. */
export function betweenRule(name: string, low: number, high: number): string | null {
  const figures = (value: number) => String(Number(value.toPrecision(6)))
  return /^[A-Za-z_]\w*$/.test(name) ? `${name} >= ${figures(low)} and ${name} <= ${figures(high)}` : null
}

export const FEWEST_VALUES = 24 // a grid of no more values is told value by value

export interface Ridge {
  fill: string
  outline: string
}

/** A ridge from its base line upwards: smooth, or bars where there are few values. */
export function ridge(
  grid: number[],
  density: number[],
  x: (value: number) => number,
  height: (d: number) => number,
  base: number,
): Ridge {
  const points = grid.map((value, i): [number, number] => [x(value), base - height(density[i])])
  if (grid.length <= FEWEST_VALUES) {
    const bars = points
      .filter(([, y]) => y < base)
      .map(([px, y]) => `M${px - 2},${base}V${y.toFixed(1)}h4V${base}`)
      .join('')
    return { fill: bars, outline: '' }
  }
  const fill =
    area<[number, number]>()
      .x((p) => p[0])
      .y1((p) => p[1])
      .y0(base)
      .curve(curveBasis)(points) ?? ''
  const outline = line<[number, number]>().curve(curveBasis)(points) ?? ''
  return { fill, outline }
}
