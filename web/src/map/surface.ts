// The map as one object outside the framework: canvases, window, gestures. Pan and zoom touch nothing else.
import type { Window } from '../lib/hash'
import type { Axis } from './axis'
import { chooseRenderer } from './choose'
import { DIM, UNKNOWN } from './classes'
import { box, type Point } from './geometry'
import { drawOverlay, type Inks, type Mark } from './overlay'
import { type Direction, Picker } from './pick'
import type { MapRenderer } from './renderer'

export const ALL: Window = [-0.02, 1.02, -0.03, 1.03]
const MARGIN = { left: 58, right: 10, top: 10, bottom: 24 }
const BARE = { left: 10, right: 10, top: 10, bottom: 10 }
const MOST_DPR = 2
const SLOW_MS = 45 // a slower frame is drawn with every fourth point while the map moves
const STRIDE = 4
const SETTLE_MS = 120
const REACH_PX = 9
const CLICK_PX = 4
const CLOSEST = 1e-4 // of an axis in the window
const PAN_STEP = 0.12
const ZOOM_STEP = 1.35

export type Tool = 'pan' | 'lasso' | 'box'
export interface Callbacks {
  hover: (row: number | null, at: Point) => void
  click: (row: number | null, event: PointerEvent) => void
  select: (polygon: Point[], event: PointerEvent) => void
  moved: (window: Window) => void // after it has come to rest
}

export class Surface {
  tool: Tool = 'pan'
  private lastFrame = 0 // milliseconds that the latest whole frame took
  readonly renderer: MapRenderer
  private points: HTMLCanvasElement
  private overlay: HTMLCanvasElement
  private context: CanvasRenderingContext2D
  private x: Axis | null = null
  private y: Axis | null = null
  private classes: Uint8Array = new Uint8Array()
  private window: Window = ALL
  private marks: Mark[] = []
  private selected: number | null = null
  private hovered: number | null = null
  private lasso: Point[] = []
  private inks: Inks
  private picker: Picker | null = null
  private pending = 0
  private settling: ReturnType<typeof setTimeout> | undefined
  private moving = false
  private observer: ResizeObserver
  private ratio = 1

  constructor(
    readonly root: HTMLElement,
    rows: number,
    inks: Inks,
    private callbacks: Callbacks,
    forced: string | null,
  ) {
    this.inks = inks
    let made: HTMLCanvasElement | null = null
    this.renderer = chooseRenderer(() => (made = document.createElement('canvas')), rows, forced)
    this.points = made as unknown as HTMLCanvasElement
    this.overlay = document.createElement('canvas')
    this.context = this.overlay.getContext('2d', {
      willReadFrequently: this.renderer.kind === 'cpu',
    }) as CanvasRenderingContext2D
    root.replaceChildren(this.points, this.overlay)
    this.observer = new ResizeObserver(() => this.resize())
    this.observer.observe(root)
    this.listen()
  }

  setAxes(x: Axis, y: Axis): void {
    this.x = x
    this.y = y
    this.picker = null
    this.renderer.setPoints(x.shares, y.shares)
    this.resize()
  }

  setClasses(classes: Uint8Array): void {
    this.classes = classes
    this.renderer.setClasses(classes)
    this.redraw()
  }

  setPalette(palette: Uint8Array, inks: Inks): void {
    this.inks = inks
    this.renderer.setPalette(palette)
    this.redraw()
  }

  setMarks(marks: Mark[], selected: number | null, hovered: number | null): void {
    Object.assign(this, { marks, selected, hovered })
    this.redraw(true)
  }

  setWindow(window: Window | null): void {
    this.window = window ?? ALL
    this.redraw()
  }

  /** What is seen; null: everything. */
  get seen(): Window | null {
    return this.window === ALL ? null : this.window
  }

  /** The row next to this one on the screen. */
  next(from: number, direction: Direction): number | null {
    return this.pick()?.next(from, direction, this.classes, UNKNOWN) ?? null
  }

  pan(dx: number, dy: number): void {
    const [left, right, bottom, top] = this.window
    const [x, y] = [(right - left) * PAN_STEP * dx, (top - bottom) * PAN_STEP * dy]
    this.move([left + x, right + x, bottom + y, top + y])
  }

  /** factor: > 1 comes closer. at: the place that stays, in shares; the middle by default. */
  zoom(factor: number, at?: Point): void {
    const [left, right, bottom, top] = this.window
    const [cx, cy] = at ?? [(left + right) / 2, (bottom + top) / 2]
    const f = Math.max(1 / factor, CLOSEST / (right - left), CLOSEST / (top - bottom))
    const next: Window = [cx + (left - cx) * f, cx + (right - cx) * f, cy + (bottom - cy) * f, cy + (top - cy) * f]
    if (next[1] - next[0] >= ALL[1] - ALL[0] && next[3] - next[2] >= ALL[3] - ALL[2]) this.reset()
    else this.move(next)
  }

  zoomStep(closer: boolean): void {
    this.zoom(closer ? ZOOM_STEP : 1 / ZOOM_STEP)
  }

  reset(): void {
    this.move(ALL)
  }

  destroy(): void {
    this.observer.disconnect()
    cancelAnimationFrame(this.pending)
    clearTimeout(this.settling)
    this.renderer.destroy()
    this.root.replaceChildren()
  }

  private get frame() {
    const margin = { ...MARGIN, ...(this.x?.bare && { bottom: BARE.bottom }), ...(this.y?.bare && { left: BARE.left }) }
    const { clientWidth, clientHeight } = this.root
    return {
      left: margin.left,
      top: margin.top,
      width: Math.max(1, clientWidth - margin.left - margin.right),
      height: Math.max(1, clientHeight - margin.top - margin.bottom),
    }
  }

  private resize(): void {
    const { frame } = this
    const { clientWidth, clientHeight } = this.root
    this.ratio = Math.min(MOST_DPR, devicePixelRatio || 1)
    this.overlay.width = Math.round(clientWidth * this.ratio)
    this.overlay.height = Math.round(clientHeight * this.ratio)
    Object.assign(this.points.style, {
      left: `${frame.left}px`,
      top: `${frame.top}px`,
      width: `${frame.width}px`,
      height: `${frame.height}px`,
    })
    this.renderer.resize(Math.round(frame.width * this.ratio), Math.round(frame.height * this.ratio))
    this.picker = null
    this.redraw()
  }

  private move(window: Window): void {
    this.window = window
    this.moving = true
    this.redraw()
    clearTimeout(this.settling)
    this.settling = setTimeout(() => {
      this.moving = false
      this.redraw()
      this.callbacks.moved(window)
    }, SETTLE_MS)
  }

  private onlyOver = true
  private redraw(onlyOver = false): void {
    this.onlyOver &&= onlyOver
    if (this.pending) return
    this.pending = requestAnimationFrame(() => {
      this.pending = 0
      if (!this.x || !this.y || !this.classes.length) return
      if (!this.onlyOver) {
        const start = performance.now()
        const coarse = this.moving && this.lastFrame > SLOW_MS
        this.renderer.draw(this.window, this.ratio, coarse ? STRIDE : 1)
        if (!coarse) this.lastFrame = performance.now() - start
        this.root.dataset.drawn = this.renderer.kind
      }
      this.onlyOver = true
      this.drawOver()
    })
  }

  private drawOver(): void {
    if (!this.x || !this.y) return
    const { context, ratio } = this
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, this.root.clientWidth, this.root.clientHeight)
    drawOverlay(
      context,
      {
        x: this.x,
        y: this.y,
        window: this.window,
        frame: this.frame,
        marks: this.marks,
        selected: this.selected,
        hovered: this.hovered,
        lasso: this.lasso,
      },
      this.inks,
    )
  }

  private pick(): Picker | null {
    if (!this.x || !this.y) return null
    this.picker ??= new Picker(this.x.shares, this.y.shares, this.frame.height / this.frame.width)
    return this.picker
  }

  private rowAt(event: PointerEvent): number | null {
    const [x, y] = this.shares(event)
    const reach = (REACH_PX / this.frame.width) * (this.window[1] - this.window[0])
    // The picker's stretch is that of the whole map; zooming keeps it nearly so.
    return this.pick()?.at(x, y, reach, this.classes, DIM) ?? null
  }

  private shares(event: MouseEvent): Point {
    const bounds = this.root.getBoundingClientRect()
    const { frame, window } = this
    return [
      window[0] + ((event.clientX - bounds.left - frame.left) / frame.width) * (window[1] - window[0]),
      window[3] - ((event.clientY - bounds.top - frame.top) / frame.height) * (window[3] - window[2]),
    ]
  }

  private listen(): void {
    const { overlay } = this
    let start: { at: Point; x: number; y: number; window: Window; tool: Tool; far: boolean } | null = null
    overlay.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 && event.button !== 1) return
      overlay.setPointerCapture(event.pointerId)
      const tool =
        event.button === 1 ? 'pan' : (event.shiftKey || event.altKey) && this.tool === 'pan' ? 'lasso' : this.tool
      start = { at: this.shares(event), x: event.clientX, y: event.clientY, window: this.window, tool, far: false }
    })
    overlay.addEventListener('pointermove', (event) => {
      if (!start) return this.callbacks.hover(this.rowAt(event), [event.clientX, event.clientY])
      start.far ||= Math.hypot(event.clientX - start.x, event.clientY - start.y) > CLICK_PX
      if (!start.far) return
      if (start.tool === 'pan') this.drag(start.window, event.clientX - start.x, event.clientY - start.y)
      else {
        this.lasso = start.tool === 'box' ? box(start.at, this.shares(event)) : [...this.lasso, this.shares(event)]
        this.redraw(true)
      }
    })
    const end = (event: PointerEvent) => {
      const { lasso } = this
      const from = start
      start = null
      this.lasso = []
      if (!from) return
      if (!from.far) this.callbacks.click(this.rowAt(event), event)
      else if (lasso.length > 2 && event.type === 'pointerup') this.callbacks.select(lasso, event)
      this.redraw(true)
    }
    overlay.addEventListener('pointerup', end)
    overlay.addEventListener('pointercancel', end)
    overlay.addEventListener('pointerleave', () => !start && this.callbacks.hover(null, [0, 0]))
    overlay.addEventListener('dblclick', () => this.reset())
    overlay.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault()
        this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0018)), this.shares(event))
      },
      { passive: false },
    )
  }

  private drag([left, right, bottom, top]: Window, dx: number, dy: number): void {
    const x = (dx / this.frame.width) * (right - left)
    const y = (dy / this.frame.height) * (top - bottom)
    this.move([left - x, right - x, bottom + y, top + y])
  }
}
