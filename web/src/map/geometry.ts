// Which points lie in a region of the map.
import * as bits from '../lib/bits'

export type Point = [number, number]

/** Whether a point is inside a polygon, by the even-odd rule. */
export function inside(polygon: Point[], x: number, y: number): boolean {
  let odd = false
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i]
    const [xj, yj] = polygon[j]
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd
  }
  return odd
}

/** The rows inside a polygon; a row that `allowed` leaves out is not in it. */
export function rowsIn(polygon: Point[], x: Float32Array, y: Float32Array, allowed: bits.Bits | null): bits.Bits {
  const out = bits.empty(x.length)
  const [left, right] = extent(polygon.map((p) => p[0]))
  const [bottom, top] = extent(polygon.map((p) => p[1]))
  for (let i = 0; i < x.length; i++) {
    if (x[i] < left || x[i] > right || y[i] < bottom || y[i] > top) continue
    if (allowed && !bits.has(allowed, i)) continue
    if (inside(polygon, x[i], y[i])) bits.add(out, i)
  }
  return out
}

export function extent(values: number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)]
}

export function box([ax, ay]: Point, [bx, by]: Point): Point[] {
  return [
    [ax, ay],
    [bx, ay],
    [bx, by],
    [ax, by],
  ]
}

/** The same path with fewer corners, none further than `tolerance` from it (Douglas, Peucker 1973). */
export function simplify(path: Point[], tolerance: number): Point[] {
  if (path.length < 3) return path
  const first = path[0]
  const last = path[path.length - 1]
  let furthest = 0
  let at = 0
  for (let i = 1; i < path.length - 1; i++) {
    const distance = toSegment(path[i], first, last)
    if (distance > furthest) {
      furthest = distance
      at = i
    }
  }
  if (furthest <= tolerance) return [first, last]
  return [...simplify(path.slice(0, at + 1), tolerance).slice(0, -1), ...simplify(path.slice(at), tolerance)]
}

function toSegment([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const length = (bx - ax) ** 2 + (by - ay) ** 2
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length))
  return Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))
}
