// What lies over the points: axes, marks of trials, the selected and the hovered point, the lasso.
import type { Window } from '../lib/hash'
import type { Axis } from './axis'
import type { Point } from './geometry'

export type MarkKind = 'ring' | 'running' | 'diamond' | 'star' | 'failed' | 'tray'
export interface Mark {
  row: number
  kind: MarkKind
}
export interface Frame {
  left: number
  top: number
  width: number
  height: number
}
export interface Inks {
  ink: string
  soft: string
  line: string
  card: string
  select: string
  accent: string
  best: string
}
export interface Scene {
  x: Axis
  y: Axis
  window: Window
  frame: Frame
  marks: Mark[]
  selected: number | null
  hovered: number | null
  lasso: Point[] // in shares
}

const FEW = 600 // more marks than this are drawn small

export function drawOverlay(context: CanvasRenderingContext2D, scene: Scene, inks: Inks): void {
  const { frame, window } = scene
  const place = ([x, y]: Point): Point => [
    frame.left + ((x - window[0]) / (window[1] - window[0])) * frame.width,
    frame.top + (1 - (y - window[2]) / (window[3] - window[2])) * frame.height,
  ]
  const at = (row: number) => place([scene.x.shares[row], scene.y.shares[row]])
  context.save()
  drawAxes(context, scene, place, inks)
  context.beginPath()
  context.rect(frame.left, frame.top, frame.width, frame.height)
  context.clip()
  drawBand(context, scene, place, inks)
  const small = scene.marks.length > FEW
  for (const mark of scene.marks) drawMark(context, mark.kind, at(mark.row), small, inks)
  if (scene.selected !== null) crosshair(context, at(scene.selected), inks)
  if (scene.hovered !== null) circle(context, at(scene.hovered), 7, inks.ink, inks.card)
  if (scene.lasso.length) drawLasso(context, scene.lasso.map(place), inks)
  context.restore()
}

function drawAxes(
  context: CanvasRenderingContext2D,
  { x, y, window, frame }: Scene,
  place: (p: Point) => Point,
  inks: Inks,
): void {
  context.lineWidth = 1
  context.strokeStyle = inks.line
  context.fillStyle = inks.soft
  context.font = '11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'
  context.textBaseline = 'top'
  const bottom = frame.top + frame.height
  let free = Number.NEGATIVE_INFINITY // no two labels touch
  for (const { share, text } of x.ticks(window[0], window[1], frame.width / 90)) {
    const [px] = place([share, 0])
    if (px < frame.left || px > frame.left + frame.width) continue
    line(context, px, frame.top, px, bottom)
    const width = context.measureText(text).width
    if (px - width / 2 < free) continue
    free = px + width / 2 + 8
    context.textAlign = 'center'
    context.fillText(text, px, bottom + 5)
  }
  context.textAlign = 'right'
  context.textBaseline = 'middle'
  for (const { share, text } of y.ticks(window[2], window[3], frame.height / 50)) {
    const [, py] = place([0, share])
    if (py < frame.top || py > bottom) continue
    line(context, frame.left, py, frame.left + frame.width, py)
    context.fillText(text, frame.left - 6, py)
  }
  context.strokeRect(frame.left + 0.5, frame.top + 0.5, frame.width - 1, frame.height - 1)
}

/** Rows without a value lie below (or left of) a line of their own. */
function drawBand(
  context: CanvasRenderingContext2D,
  { x, y, frame }: Scene,
  place: (p: Point) => Point,
  inks: Inks,
): void {
  context.setLineDash([4, 4])
  context.strokeStyle = inks.soft
  context.fillStyle = inks.soft
  context.textBaseline = 'bottom'
  context.textAlign = 'right'
  if (y.band) {
    const [, py] = place([0, bandEdge(y)])
    line(context, frame.left, py, frame.left + frame.width, py)
    context.fillText(`no ${y.label}`, frame.left + frame.width - 6, py - 3)
  }
  if (x.band) {
    const [px] = place([bandEdge(x), 0])
    line(context, px, frame.top, px, frame.top + frame.height)
  }
  context.setLineDash([])
}

function bandEdge(axis: Axis): number {
  return axis.band * 0.9
}

function drawMark(context: CanvasRenderingContext2D, kind: MarkKind, at: Point, small: boolean, inks: Inks): void {
  if (kind === 'ring') circle(context, at, small ? 2.5 : 4.5, inks.ink, small ? null : inks.card)
  else if (kind === 'running') {
    circle(context, at, 6, inks.accent, inks.card)
    circle(context, at, 2.5, inks.accent, null)
  } else if (kind === 'tray') circle(context, at, 9, inks.accent, null)
  else if (kind === 'failed') cross(context, at, 4, inks)
  else shape(context, kind === 'star' ? star(at, 9) : diamond(at, 6), kind === 'star' ? inks.best : inks.card, inks.ink)
}

function line(context: CanvasRenderingContext2D, ax: number, ay: number, bx: number, by: number): void {
  context.beginPath()
  context.moveTo(Math.round(ax) + 0.5, Math.round(ay) + 0.5)
  context.lineTo(Math.round(bx) + 0.5, Math.round(by) + 0.5)
  context.stroke()
}

/** halo: colour of a wider line below, so that it reads on any points. */
function circle(
  context: CanvasRenderingContext2D,
  [x, y]: Point,
  radius: number,
  ink: string,
  halo: string | null,
): void {
  context.beginPath()
  context.arc(x, y, radius, 0, 2 * Math.PI)
  outline(context, ink, halo)
}

function outline(context: CanvasRenderingContext2D, ink: string, halo: string | null): void {
  if (halo) {
    context.lineWidth = 3.5
    context.strokeStyle = halo
    context.stroke()
  }
  context.lineWidth = 1.4
  context.strokeStyle = ink
  context.stroke()
}

function cross(context: CanvasRenderingContext2D, [x, y]: Point, half: number, inks: Inks): void {
  context.beginPath()
  context.moveTo(x - half, y - half)
  context.lineTo(x + half, y + half)
  context.moveTo(x - half, y + half)
  context.lineTo(x + half, y - half)
  outline(context, inks.ink, inks.card)
}

function crosshair(context: CanvasRenderingContext2D, [x, y]: Point, inks: Inks): void {
  circle(context, [x, y], 10, inks.select, inks.card)
  context.beginPath()
  for (const [dx, dy] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ]) {
    context.moveTo(x + dx * 10, y + dy * 10)
    context.lineTo(x + dx * 16, y + dy * 16)
  }
  outline(context, inks.select, inks.card)
}

function shape(context: CanvasRenderingContext2D, path: Point[], fill: string, ink: string): void {
  context.beginPath()
  for (const [x, y] of path) context.lineTo(x, y)
  context.closePath()
  context.fillStyle = fill
  context.fill()
  outline(context, ink, null)
}

function star([x, y]: Point, radius: number): Point[] {
  return Array.from({ length: 10 }, (_, k) => {
    const r = k % 2 ? radius * 0.42 : radius
    const angle = (k * Math.PI) / 5 - Math.PI / 2
    return [x + r * Math.cos(angle), y + r * Math.sin(angle)]
  })
}

function diamond([x, y]: Point, radius: number): Point[] {
  return [
    [x, y - radius],
    [x + radius, y],
    [x, y + radius],
    [x - radius, y],
  ]
}

function drawLasso(context: CanvasRenderingContext2D, path: Point[], inks: Inks): void {
  context.beginPath()
  for (const [x, y] of path) context.lineTo(x, y)
  context.closePath()
  context.globalAlpha = 0.12
  context.fillStyle = inks.select
  context.fill()
  context.globalAlpha = 1
  outline(context, inks.select, inks.card)
}
