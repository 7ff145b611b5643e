// Regions of the map as selections of the API: a polygon in values where that says it all, else a mask.
import type { Selection } from '../lib/api'
import * as bits from '../lib/bits'
import type { Window } from '../lib/hash'
import type { Axis } from './axis'
import { box, extent, type Point, rowsIn, simplify } from './geometry'

const TOLERANCE = 0.002 // of the axes: how far a simplified lasso may be from the drawn one
const MOST_CORNERS = 100

/** polygon: in shares. mask: the rows in it. */
export function selectionOf(x: Axis, y: Axis, polygon: Point[], mask: bits.Bits, filter: bits.Bits | null): Selection {
  const corners = polygon.length > 5 ? simplify(polygon, TOLERANCE) : polygon
  const plain =
    !filter &&
    inValues(
      x,
      corners.map((p) => p[0]),
    ) &&
    inValues(
      y,
      corners.map((p) => p[1]),
    )
  if (!plain || corners.length > MOST_CORNERS) return { mask: bits.toBase64(mask) }
  const points = corners.map(([px, py]): Point => [x.toValue(px), y.toValue(py)])
  return { polygon: { x: x.name, y: y.name, points, log: [x.kind === 'log', y.kind === 'log'] } }
}

/** What a window of the map shows. */
export function regionOf(x: Axis, y: Axis, [left, right, bottom, top]: Window, filter: bits.Bits | null): Selection {
  const polygon = box([left, bottom], [right, top])
  return selectionOf(x, y, polygon, rowsIn(polygon, x.shares, y.shares, filter), filter)
}

/** Whether shares of an axis stand for values: edges are as straight there, and none reaches among rows without one. */
function inValues(axis: Axis, shares: number[]): boolean {
  return (axis.kind === 'linear' || axis.kind === 'log') && (axis.band === 0 || extent(shares)[0] >= axis.band)
}
