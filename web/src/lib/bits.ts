// Sets of rows as bit masks: row r is bit r % 8 of byte r >> 3, as numpy.packbits(bitorder="little") has it.
import type { Row } from './api'

export type Bits = Uint8Array<ArrayBuffer>

export function empty(rows: number): Bits {
  return new Uint8Array((rows + 7) >> 3)
}

export function has(bits: Bits, row: Row): boolean {
  return ((bits[row >> 3] >> (row & 7)) & 1) === 1
}

export function add(bits: Bits, row: Row): void {
  bits[row >> 3] |= 1 << (row & 7)
}

export function of(rows: number, members: Iterable<Row>): Bits {
  const bits = empty(rows)
  for (const row of members) add(bits, row)
  return bits
}

export type SetOperation = 'union' | 'intersect' | 'subtract'

export function combine(a: Bits, b: Bits, how: SetOperation): Bits {
  const out = new Uint8Array(Math.max(a.length, b.length))
  for (let i = 0; i < out.length; i++) {
    const x = a[i] ?? 0
    const y = b[i] ?? 0
    out[i] = how === 'union' ? x | y : how === 'intersect' ? x & y : x & ~y
  }
  return out
}

export function complement(bits: Bits, rows: number): Bits {
  const out = new Uint8Array((rows + 7) >> 3)
  for (let i = 0; i < out.length; i++) out[i] = ~(bits[i] ?? 0)
  if (rows & 7) out[out.length - 1] &= (1 << (rows & 7)) - 1
  return out
}

export function isEmpty(bits: Bits): boolean {
  return !bits.some((byte) => byte !== 0)
}

const CHUNK = 0x8000

export function toBase64(bits: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bits.length; i += CHUNK) text += String.fromCharCode(...bits.subarray(i, i + CHUNK))
  return btoa(text)
}

export function fromBase64(text: string): Bits {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
}
