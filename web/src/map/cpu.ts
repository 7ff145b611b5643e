// Points without a GPU: each adds to the coverage of its pixels, the best class of a pixel wins, tables give colour and density.
import type { Window } from '../lib/hash'
import { HIDDEN } from './classes'
import { type MapRenderer, radiusFor } from './renderer'

const FULL = 16 // coverage of a pixel by one point
const LEVELS = 256 // of density

export interface Raster {
  width: number
  height: number
  cover: Uint16Array // per pixel, saturating at LEVELS - 1 + FULL
  best: Uint8Array // least class per pixel
}

export function makeRaster(width: number, height: number): Raster {
  return { width, height, cover: new Uint16Array(width * height), best: new Uint8Array(width * height).fill(HIDDEN) }
}

interface Disc {
  dx: Int8Array
  dy: Int8Array
  cover: Uint8Array // 1..FULL
}

/** Pixels of a disc about the centre of a pixel. */
export function disc(radius: number): Disc {
  const dx: number[] = []
  const dy: number[] = []
  const cover: number[] = []
  const reach = Math.ceil(radius)
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const covered = Math.round(Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y))) * FULL)
      if (covered) {
        dx.push(x)
        dy.push(y)
        cover.push(covered)
      }
    }
  }
  return { dx: Int8Array.from(dx), dy: Int8Array.from(dy), cover: Uint8Array.from(cover) }
}

/** Adds the points to an empty raster, a pixel each. Returns how many pixels they fill. */
export function splat(
  raster: Raster,
  x: Float32Array,
  y: Float32Array,
  classes: Uint8Array,
  window: Window,
  stride = 1,
): number {
  const { width, height, cover, best } = raster
  const scaleX = width / (window[1] - window[0])
  const scaleY = -height / (window[3] - window[2])
  const originX = -window[0] * scaleX
  const originY = -window[3] * scaleY
  let filled = 0
  for (let i = 0; i < x.length; i += stride) {
    const px = Math.floor(x[i] * scaleX + originX)
    const py = Math.floor(y[i] * scaleY + originY)
    if (px < 0 || py < 0 || px >= width || py >= height || classes[i] === HIDDEN) continue
    const at = py * width + px
    if (cover[at] === 0) filled++
    if (cover[at] < LEVELS) cover[at] += FULL
    if (classes[i] < best[at]) best[at] = classes[i]
  }
  return filled
}

/** Draws a disc for every filled pixel into another empty raster, and empties the first. */
export function spread(from: Raster, to: Raster, radius: number): void {
  const { width, height, cover, best } = from
  const shape = disc(radius)
  for (let py = 0, at = 0; py < height; py++) {
    for (let px = 0; px < width; px++, at++) {
      if (cover[at] === 0) continue
      stamp(to, shape, px, py, best[at], cover[at] / FULL)
      cover[at] = 0
      best[at] = HIDDEN
    }
  }
}

function stamp(
  { width, height, cover, best }: Raster,
  shape: Disc,
  px: number,
  py: number,
  kind: number,
  weight: number,
): void {
  for (let k = 0; k < shape.cover.length; k++) {
    const qx = px + shape.dx[k]
    const qy = py + shape.dy[k]
    if (qx < 0 || qy < 0 || qx >= width || qy >= height) continue
    const at = qy * width + qx
    cover[at] = Math.min(LEVELS, cover[at] + shape.cover[k] * weight)
    if (kind < best[at]) best[at] = kind
  }
}

/** Opacity 0..255 by coverage: one point shows, many are solid. solid: opacity of one point that covers its pixel. */
export function opacities(solid: number): Uint8Array {
  const out = new Uint8Array(LEVELS + FULL)
  for (let c = 1; c < out.length; c++)
    out[c] = Math.round(
      255 * Math.min(1, c < FULL ? (solid * c) / FULL : 1 - (1 - solid) * Math.exp(-(c - FULL) / (3 * FULL))),
    )
  return out
}

/** Colours the pixels and empties the raster for the next frame. */
export function shade(
  raster: Raster,
  colours: Uint32Array,
  alphas: Uint8Array,
  opacity: Uint8Array,
  out: Uint32Array,
): void {
  const { cover, best } = raster
  for (let at = 0; at < out.length; at++) {
    const covered = cover[at]
    if (covered === 0) {
      out[at] = 0
      continue
    }
    const kind = best[at]
    out[at] = colours[kind] | (((opacity[covered] * alphas[kind]) >> 8) << 24)
    cover[at] = 0
    best[at] = HIDDEN
  }
}

export class CpuRenderer implements MapRenderer {
  readonly kind = 'cpu'
  private context: CanvasRenderingContext2D
  private places = makeRaster(1, 1)
  private discs = makeRaster(1, 1)
  private image = new ImageData(1, 1)
  private pixels = new Uint32Array(1)
  private x = new Float32Array()
  private y = new Float32Array()
  private classes = new Uint8Array()
  private colours = new Uint32Array(256)
  private alphas = new Uint8Array(256)
  private radius = 1
  private fine = opacities(0.5)
  private coarse = opacities(0.85)

  constructor(private canvas: HTMLCanvasElement) {
    this.context = canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D
  }

  setPoints(x: Float32Array<ArrayBuffer>, y: Float32Array<ArrayBuffer>): void {
    this.x = x
    this.y = y
  }

  setClasses(classes: Uint8Array<ArrayBuffer>): void {
    this.classes = classes
  }

  setPalette(rgba: Uint8Array): void {
    for (let k = 0; k < 256; k++) {
      this.colours[k] = rgba[4 * k] | (rgba[4 * k + 1] << 8) | (rgba[4 * k + 2] << 16)
      this.alphas[k] = rgba[4 * k + 3]
    }
  }

  resize(width: number, height: number): void {
    this.canvas.width = width
    this.canvas.height = height
    this.places = makeRaster(width, height)
    this.discs = makeRaster(width, height)
    this.image = new ImageData(width, height)
    this.pixels = new Uint32Array(this.image.data.buffer)
  }

  draw(window: Window, ratio: number, stride = 1): void {
    const filled = splat(this.places, this.x, this.y, this.classes, window, stride)
    if (stride === 1) this.radius = radiusFor(filled, this.pixels.length, ratio) // points keep their size while they move
    const large = this.radius >= 1
    if (large) spread(this.places, this.discs, this.radius)
    const raster = large ? this.discs : this.places
    shade(raster, this.colours, this.alphas, large ? this.coarse : this.fine, this.pixels)
    this.context.putImageData(this.image, 0, 0)
  }

  destroy(): void {}
}
