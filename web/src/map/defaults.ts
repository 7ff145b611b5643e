// What the map shows before anybody has chosen.
import type { Column } from '../lib/api'

const FIRST_COSTS = ['params', 'flops', 'latency']

/** Costs against the predicted score; against results while nothing is predicted; an embedding while nothing is known. */
export function defaultAxes(columns: Column[]): [string, string] {
  const known = (name: string) => (columns.find((c) => c.name === name)?.known ?? 0) > 0
  const costs = columns.filter((c) => c.kind === 'cost' && c.known > 0).map((c) => c.name)
  const cost = FIRST_COSTS.find((name) => costs.includes(name)) ?? costs[0]
  const score = ['predicted', 'result'].find(known)
  if (!score) return ['map_x', 'map_y']
  return [cost ?? (score === 'predicted' && known('result') ? 'result' : 'map_x'), score]
}

export function defaultColour(columns: Column[]): string {
  const known = (name: string) => (columns.find((c) => c.name === name)?.known ?? 0) > 0
  return ['tier', 'predicted', 'result'].find(known) ?? columns.find((c) => c.kind === 'cost')?.name ?? 'result'
}
