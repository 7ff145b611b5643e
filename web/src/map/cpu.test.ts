import { expect, test } from 'vitest'
import type { Window } from '../lib/hash'
import { HIDDEN } from './classes'
import { disc, makeRaster, opacities, shade, splat, spread } from './cpu'

const ALL: Window = [0, 1, 0, 1]

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function points(n: number, seed: number) {
  const draw = random(seed)
  const x = Float32Array.from({ length: n }, () => draw() * 1.2 - 0.1)
  const y = Float32Array.from({ length: n }, () => draw() * 1.2 - 0.1)
  const classes = Uint8Array.from({ length: n }, () => (draw() < 0.1 ? HIDDEN : Math.floor(draw() * 5)))
  return { x, y, classes }
}

/** One point in the middle of the height, as a disc of radius 3. */
function discs(side: number, x: number, kind: number) {
  const [places, raster] = [makeRaster(side, side), makeRaster(side, side)]
  splat(places, new Float32Array([x]), new Float32Array([0.5]), new Uint8Array([kind]), ALL)
  spread(places, raster, 3)
  expect([...places.cover].every((c) => c === 0)).toBe(true)
  return raster
}

/** Pixel by pixel, without a raster: the least class and the number of the points in each pixel. */
function oracle(p: ReturnType<typeof points>, [left, right, bottom, top]: Window, width: number, height: number) {
  const best = new Array(width * height).fill(HIDDEN)
  const count = new Array(width * height).fill(0)
  for (let i = 0; i < p.x.length; i++) {
    const column = Math.floor(((p.x[i] - left) / (right - left)) * width)
    const line = Math.floor(((top - p.y[i]) / (top - bottom)) * height)
    if (column < 0 || line < 0 || column >= width || line >= height || p.classes[i] === HIDDEN) continue
    best[line * width + column] = Math.min(best[line * width + column], p.classes[i])
    count[line * width + column]++
  }
  return { best, count }
}

test('every pixel shows the best class among its points, and none where there are none', () => {
  for (const [seed, window] of [
    [1, ALL],
    [2, [0.25, 0.5, 0.5, 0.75]],
    [3, [-0.5, 1.5, -0.25, 1.75]],
  ] as [number, Window][]) {
    const given = points(4000, seed)
    const raster = makeRaster(64, 32)
    const filled = splat(raster, given.x, given.y, given.classes, window)
    const { best, count } = oracle(given, window, 64, 32)
    expect([...raster.best]).toEqual(best)
    expect(filled).toBe(count.filter((c) => c > 0).length)
    expect([...raster.cover].map((c) => c > 0)).toEqual(count.map((c) => c > 0))
  }
})

test('a disc covers the pixels within its radius, its rim in part', () => {
  const { dx, dy, cover } = disc(3)
  const covered = new Map([...dx].map((x, k) => [`${x},${dy[k]}`, cover[k]]))
  expect(covered.get('0,0')).toBe(16)
  expect(covered.get('1,2')).toBe(16) // 2.24 from the centre
  expect(covered.get('2,2')).toBe(11) // 2.83: two thirds of it lie within
  expect(covered.get('3,0')).toBe(8) // on the rim
  expect(covered.has('3,3')).toBe(false) // 4.24
  const raster = discs(11, 0.5, 2)
  const drawn = [...raster.best].filter((c) => c === 2).length
  expect(drawn).toBe(cover.length)
  expect(raster.best[5 * 11 + 8]).toBe(2)
})

test('discs at the border are cut off, not wrapped around', () => {
  const raster = discs(20, 0.999, 0)
  for (let line = 0; line < 20; line++)
    for (let column = 0; column < 15; column++) expect(raster.best[line * 20 + column]).toBe(HIDDEN)
})

test('shading colours by class, is denser for more points, and leaves an empty raster', () => {
  const raster = makeRaster(2, 1)
  const x = new Float32Array([0.1, 0.1, 0.1, 0.9])
  splat(raster, x, new Float32Array(4).fill(0.5), new Uint8Array([1, 0, 1, 1]), ALL)
  const colours = new Uint32Array(256)
  colours[0] = 0x0000ff
  colours[1] = 0x00ff00
  const out = new Uint32Array(2)
  shade(raster, colours, new Uint8Array(256).fill(255), opacities(0.45), out)
  expect(out[0] & 0xffffff).toBe(0x0000ff)
  expect(out[1] & 0xffffff).toBe(0x00ff00)
  expect(out[0] >>> 24).toBeGreaterThan(out[1] >>> 24)
  expect(out[1] >>> 24).toBeGreaterThan(100)
  expect([...raster.cover, ...raster.best]).toEqual([0, 0, HIDDEN, HIDDEN])
})

test('any number of points in one pixel neither overflows nor fades', () => {
  const n = 100_000
  const raster = makeRaster(1, 1)
  splat(raster, new Float32Array(n).fill(0.5), new Float32Array(n).fill(0.5), new Uint8Array(n), ALL)
  const out = new Uint32Array(1)
  shade(raster, new Uint32Array(256), new Uint8Array(256).fill(255), opacities(0.45), out)
  expect(out[0] >>> 24).toBeGreaterThan(250)
})
