// What draws the points. Two back ends: WebGL2, and plain pixels for machines without a GPU.
import type { Window } from '../lib/hash'

export interface MapRenderer {
  readonly kind: 'gl' | 'cpu'
  /** Coordinates as shares of the axes; y upwards. */
  setPoints(x: Float32Array, y: Float32Array): void
  setClasses(classes: Uint8Array): void
  setPalette(rgba: Uint8Array): void
  /** In device pixels. */
  resize(width: number, height: number): void
  /** ratio: device pixels a pixel. stride: every how-manieth point. */
  draw(window: Window, ratio: number, stride?: number): void
  destroy(): void
}

/** The radius of a point in device pixels: few points are large, many do not cover each other. places: how many differ. */
export function radiusFor(places: number, area: number, ratio: number): number {
  const room = Math.sqrt(area / Math.max(1, places))
  return Math.min(4.5 * ratio, Math.max(0.5, room * 0.4))
}
