// The view in the address: #x=params&y=predicted&row=12 ... Whoever opens the address sees the same.
import type { Selection } from './api'

export type Window = [number, number, number, number] // of the map: left, right, bottom, top, in shares of the axes

export interface ViewState {
  x: string // columns; '' leaves the choice to the page
  y: string
  colour: string
  window: Window | null // null: all
  filter: string
  row: number | null
  tray: number[]
  selection: Selection | null
  edges: number[] | null // predicted scores between tiers, the best first; null: those of the predictor
  time: number | null // results told so far; null: all
  tabs: Record<string, string> // region -> pane
}

export const START: ViewState = {
  x: '',
  y: '',
  colour: '',
  window: null,
  filter: '',
  row: null,
  tray: [],
  selection: null,
  edges: null,
  time: null,
  tabs: {},
}

const LONGEST_MASK = 6_000 // characters; a larger set is kept by its name, not in the address

export function encode(view: ViewState): string {
  const out = new URLSearchParams()
  for (const key of ['x', 'y', 'colour', 'filter'] as const) if (view[key]) out.set(key, view[key])
  if (view.window) out.set('window', view.window.map((v) => short(v)).join(','))
  if (view.row !== null) out.set('row', String(view.row))
  if (view.tray.length) out.set('tray', view.tray.join(','))
  if (view.edges) out.set('edges', view.edges.map(short).join(','))
  if (view.time !== null) out.set('time', String(view.time))
  for (const [region, pane] of Object.entries(view.tabs)) out.set(`tab.${region}`, pane)
  const { rule, polygon, mask } = view.selection ?? {}
  if (rule) out.set('select', `rule:${rule}`)
  else if (polygon) out.set('select', `polygon:${polygonText(polygon)}`)
  else if (mask && mask.length <= LONGEST_MASK) out.set('select', `mask:${mask}`)
  return out.toString()
}

/** What stands in a hash, with or without '#'; whatever makes no sense is left out. */
export function decode(hash: string): ViewState {
  const given = new URLSearchParams(hash.replace(/^#/, ''))
  const view: ViewState = { ...START, tabs: {} }
  for (const key of ['x', 'y', 'colour', 'filter'] as const) view[key] = given.get(key) ?? ''
  const window = numbers(given.get('window'))
  if (window.length === 4 && window[0] < window[1] && window[2] < window[3]) view.window = window as Window
  const edges = numbers(given.get('edges'))
  if (edges.length === 4 && edges.every((v, i) => i === 0 || v <= edges[i - 1])) view.edges = edges
  view.row = whole(given.get('row'))
  view.time = whole(given.get('time'))
  view.tray = [...new Set(numbers(given.get('tray')))].filter((v) => Number.isInteger(v) && v >= 0).slice(0, 6)
  for (const [key, pane] of given) if (key.startsWith('tab.')) view.tabs[key.slice(4)] = pane
  view.selection = selection(given.get('select') ?? '')
  return view
}

function selection(text: string): Selection | null {
  const [kind, ...rest] = text.split(':')
  const body = rest.join(':')
  if (kind === 'rule' && body) return { rule: body }
  if (kind === 'mask' && /^[A-Za-z0-9+/]+=*$/.test(body)) return { mask: body }
  if (kind !== 'polygon') return null
  const polygon = readPolygon(body)
  return polygon && { polygon }
}

type Polygon = NonNullable<Selection['polygon']>

/** Columns, which of them are logarithmic, corners: params,result,10,... */
function polygonText({ x, y, points, log }: Polygon): string {
  const names = [x, y].map(encodeURIComponent)
  return [...names, (log ?? [false, false]).map(Number).join(''), ...points.flat().map(short)].join(',')
}

function readPolygon(text: string): Polygon | null {
  const [x, y, log, ...coordinates] = text.split(',')
  const flat = coordinates.map(Number)
  const corners = flat.length >= 6 && flat.length % 2 === 0 && flat.every(Number.isFinite)
  if (!y || !/^[01][01]$/.test(log ?? '') || !corners) return null
  const points = Array.from({ length: flat.length / 2 }, (_, i): [number, number] => [flat[2 * i], flat[2 * i + 1]])
  return { x: decodeURIComponent(x), y: decodeURIComponent(y), points, log: [log[0] === '1', log[1] === '1'] }
}

function numbers(text: string | null): number[] {
  const values = (text ?? '').split(',').filter(Boolean).map(Number)
  return values.every(Number.isFinite) ? values : []
}

function whole(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)))
}
