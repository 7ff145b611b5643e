// Numbers and reasons of steering as text.
const MINUS = '\u2212'

/** An effect with its sign: +0.83, −3.20; in points where labels read as percentages. */
export function signed(value: number | null, percent: boolean): string {
  if (value === null || !Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  const text = percent ? size.toFixed(size < 10 ? 2 : 1) : String(Number(size.toPrecision(3)))
  if (Number(text) === 0) return '0'
  return (value < 0 ? MINUS : '+') + text
}

/** Coefficients between -1 and 1, with the two figures that mean something. */
export function two(value: number): string {
  return value.toFixed(2).replace('-', MINUS)
}

/** The last line of an error says what happened. */
export function lastLine(error: string | null): string {
  return (error ?? '').trim().split('\n').at(-1) || 'no reason was given'
}
