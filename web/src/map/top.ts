import type { Row } from '../lib/api'
import type { Values } from '../lib/columns.svelte'

/** The rows with the highest values: this share of those that have one, at least one; ties of the last are all in. */
export function topRows(values: Values, share: number): Row[] {
  const known = Float64Array.from(values).filter(Number.isFinite).sort()
  if (!known.length) return []
  const least = known[known.length - Math.max(1, Math.round(known.length * share))]
  const rows: Row[] = []
  for (let i = 0; i < values.length; i++) if (values[i] >= least) rows.push(i)
  return rows
}
