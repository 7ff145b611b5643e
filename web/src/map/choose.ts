import { CpuRenderer } from './cpu'
import { GlRenderer } from './gl'
import type { MapRenderer } from './renderer'

const SOFTWARE = /swiftshader|llvmpipe|softpipe|basic render|software/i
const SLOW_MS = 50 // of a frame

/** `cpu` without WebGL2, with a software one, or where the first frames take too long. points: what is going to be drawn. */
export function chooseRenderer(canvas: () => HTMLCanvasElement, points: number, forced?: string | null): MapRenderer {
  if (forced !== 'cpu') {
    const gl = GlRenderer.make(canvas())
    if (gl && (forced === 'gl' || (!SOFTWARE.test(gl.device) && gl.measure(points) <= SLOW_MS))) return gl
    gl?.destroy()
  }
  return new CpuRenderer(canvas())
}
