// Numbers as text; none is worked out here.
import type { Column } from './api'

const COUNT = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const FOUR = new Intl.NumberFormat('en', { maximumSignificantDigits: 4, useGrouping: false })
const PREFIXES: [number, string][] = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
]
const NONE = '–'
const THIN = '\u202f' // narrow no-break space

/** Whole numbers: 423,624. Takes decimal digits too, for numbers beyond a double. */
export function count(value: number | string | null | undefined): string {
  if (value === null || value === undefined || value === '') return NONE
  return typeof value === 'string' && /^\d+$/.test(value) ? COUNT.format(BigInt(value)) : COUNT.format(Number(value))
}

/** Four figures with a prefix: 1.073 M. */
export function short(value: number | null | undefined, unit = ''): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE
  const size = Math.abs(value)
  const [scale, prefix] = PREFIXES.find(([least]) => size >= least && least >= (size < 1e5 ? 1e4 : 0)) ?? [1, '']
  const number = size !== 0 && size < 1e-3 ? value.toExponential(2) : FOUR.format(value / scale)
  return prefix || unit ? `${number}${THIN}${prefix}${unit}` : number
}

/** Two values with three figures and the prefix of the larger: 87.7–119 M. */
export function between(low: number, high: number): string {
  const size = Math.max(Math.abs(low), Math.abs(high))
  const [scale, prefix] = PREFIXES.find(([least]) => size >= least && size >= 1e4) ?? [1, '']
  const figures = (x: number) => (size < 1e-3 ? x.toExponential(1) : String(Number((x / scale).toPrecision(3))))
  return `${figures(low)}–${figures(high)}${prefix && THIN + prefix}`
}

/** A label of the study: 94.23 % where labels read as percentages. */
export function result(value: number | null | undefined, percent: boolean): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE
  return percent ? `${value.toFixed(2)}${THIN}%` : Number(value.toPrecision(5)).toString()
}

/** A value of a column, in its own way. */
export function value(column: Column | undefined, x: number | null | undefined, percent: boolean): string {
  if (x === null || x === undefined || !Number.isFinite(x)) return NONE
  if (column?.name === 'tier') return x === 255 ? NONE : tier(x)
  if (column?.kind === 'position') return String(Math.round(x))
  if (column?.kind === 'predicted') return result(x, column.unit === '%')
  if (column?.name === 'result') return result(x, percent)
  return short(x, column?.unit)
}

export function tier(index: number): string {
  return `tier ${index + 1}`
}

/** 3 min, 2.1 h, 4 days. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE
  if (seconds < 90) return `${Math.round(seconds)}${THIN}s`
  if (seconds < 5_400) return `${Math.round(seconds / 60)}${THIN}min`
  if (seconds < 172_800) return `${FOUR.format(Number((seconds / 3600).toPrecision(2)))}${THIN}h`
  return `${Math.round(seconds / 86_400)} days`
}

export function share(x: number | null | undefined): string {
  if (x === null || x === undefined || !Number.isFinite(x)) return NONE
  const percent = x * 100
  const digits = percent !== 0 && (percent < 1 || (percent > 99 && percent < 100)) ? 1 : 0
  return `${percent.toFixed(digits)}${THIN}%`
}

export function moment(epochSeconds: number): string {
  const date = new Date(epochSeconds * 1000)
  const today = new Date().toDateString() === date.toDateString()
  const time = date.toLocaleTimeString('en-GB')
  return today ? time : `${date.toLocaleDateString('en-CA')} ${time}`
}
