// Points by WebGL2: one attribute for each of x, y and class; the depth test puts the best class on top.
import type { Window } from '../lib/hash'
import { type MapRenderer, radiusFor } from './renderer'

const VERTEX = `#version 300 es
layout(location = 0) in float x;
layout(location = 1) in float y;
layout(location = 2) in uint kind;
uniform vec4 bounds; // left, right, bottom, top
uniform float size;
uniform sampler2D palette;
out vec4 colour;
void main() {
  vec2 at = (vec2(x, y) - bounds.xz) / (bounds.yw - bounds.xz) * 2.0 - 1.0;
  colour = texelFetch(palette, ivec2(int(kind), 0), 0);
  gl_Position = kind == 255u ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(at, float(kind) / 255.0, 1.0);
  gl_PointSize = size;
}`
const FRAGMENT = `#version 300 es
precision highp float;
in vec4 colour;
uniform float size;
out vec4 pixel;
void main() {
  float far = length(gl_PointCoord - 0.5) * size;
  float cover = size < 2.5 ? 1.0 : clamp(size * 0.5 - far + 0.5, 0.0, 1.0);
  if (cover < 0.05) discard;
  float alpha = colour.a * cover * (size < 2.5 ? 0.75 : 0.9);
  pixel = vec4(colour.rgb * alpha, alpha);
}`

export class GlRenderer implements MapRenderer {
  readonly kind = 'gl'
  readonly device: string
  private count = 0
  private buffers: WebGLBuffer[]
  private bounds: WebGLUniformLocation | null
  private size: WebGLUniformLocation | null

  /** Null where there is no WebGL2 that works. */
  static make(canvas: HTMLCanvasElement): GlRenderer | null {
    const gl = canvas.getContext('webgl2', { antialias: false, premultipliedAlpha: true })
    try {
      return gl && new GlRenderer(gl)
    } catch {
      return null // a driver that refuses the shaders
    }
  }

  private constructor(private gl: WebGL2RenderingContext) {
    const info = gl.getExtension('WEBGL_debug_renderer_info')
    this.device = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER))
    const program = link(gl)
    gl.useProgram(program)
    this.bounds = gl.getUniformLocation(program, 'bounds')
    this.size = gl.getUniformLocation(program, 'size')
    this.buffers = [0, 1, 2].map(() => gl.createBuffer() as WebGLBuffer)
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture())
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST)
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST)
    gl.enable(gl.BLEND)
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
    gl.enable(gl.DEPTH_TEST)
    gl.depthFunc(gl.LEQUAL)
    gl.clearColor(0, 0, 0, 0)
  }

  setPoints(x: Float32Array<ArrayBuffer>, y: Float32Array<ArrayBuffer>): void {
    this.count = x.length
    for (const [location, values] of [x, y].entries()) {
      this.fill(location, values)
      this.gl.vertexAttribPointer(location, 1, this.gl.FLOAT, false, 0, 0)
    }
  }

  setClasses(classes: Uint8Array<ArrayBuffer>): void {
    this.fill(2, classes)
    this.gl.vertexAttribIPointer(2, 1, this.gl.UNSIGNED_BYTE, 0, 0)
  }

  setPalette(rgba: Uint8Array<ArrayBuffer>): void {
    const { gl } = this
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, rgba)
  }

  resize(width: number, height: number): void {
    this.gl.canvas.width = width
    this.gl.canvas.height = height
    this.gl.viewport(0, 0, width, height)
  }

  draw(window: Window, ratio: number): void {
    const { gl } = this
    const inside = this.count * Math.min(1, (window[1] - window[0]) * (window[3] - window[2]))
    const radius = radiusFor(inside, gl.canvas.width * gl.canvas.height, ratio)
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT)
    gl.uniform4f(this.bounds, ...window)
    gl.uniform1f(this.size, Math.max(1.5 * ratio, 2 * radius))
    gl.drawArrays(gl.POINTS, 0, this.count)
  }

  /** Milliseconds of the second of two frames with so many random points. */
  measure(points: number): number {
    const at = Float32Array.from({ length: points }, (_, i) => ((i * 2654435761) % 65536) / 65536)
    this.resize(900, 700)
    this.setPoints(at, at.slice().reverse())
    this.setClasses(new Uint8Array(points))
    this.setPalette(new Uint8Array(1024).fill(255))
    let spent = 0
    for (let frame = 0; frame < 2; frame++) {
      const start = performance.now()
      this.draw([0, 1, 0, 1], 1)
      this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4)) // waits for the frame
      spent = performance.now() - start
    }
    return spent
  }

  destroy(): void {
    this.gl.getExtension('WEBGL_lose_context')?.loseContext()
  }

  private fill(location: number, values: ArrayBufferView<ArrayBuffer>): void {
    const { gl } = this
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[location])
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW)
    gl.enableVertexAttribArray(location)
  }
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram()
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind) as WebGLShader
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    gl.attachShader(program, shader)
  }
  gl.linkProgram(program)
  if (!gl.getProgramParameter(program, gl.LINK_STATUS))
    throw new Error(gl.getProgramInfoLog(program) ?? 'WebGL2 program')
  return program
}
