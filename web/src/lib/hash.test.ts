import { expect, test } from 'vitest'
import { decode, encode, START, type ViewState } from './hash'

const FULL: ViewState = {
  x: 'params',
  y: 'predicted',
  colour: 'tier',
  window: [0.1, 0.25, -0.01, 0.5],
  filter: 'params < 5e6 and pick("cell/0-1") == "none"',
  row: 423623,
  tray: [1, 0, 77],
  selection: { rule: 'tier == 1 & "é" #' },
  edges: [91.5, 91, 90.25, 80],
  time: 12,
  tabs: { map: 'table', inspect: 'compare' },
}

test('a whole view comes back from its address', () => {
  expect(decode(encode(FULL))).toEqual(FULL)
  expect(decode(`#${encode(FULL)}`)).toEqual(FULL)
  expect(decode(encode(START))).toEqual(START)
})

test('regions and masks come back', () => {
  const polygon = {
    x: 'params',
    y: 'result',
    points: [
      [1, 2],
      [3.5, 4],
      [0, 9],
    ] as [number, number][],
    log: [true, false] as [boolean, boolean],
  }
  expect(decode(encode({ ...FULL, selection: { polygon } })).selection).toEqual({ polygon })
  expect(decode(encode({ ...FULL, selection: { mask: 'AAECaw+/==' } })).selection).toEqual({ mask: 'AAECaw+/==' })
})

test('a mask that is too long for an address is left out', () => {
  expect(decode(encode({ ...FULL, selection: { mask: 'A'.repeat(70_000) } })).selection).toBe(null)
})

test('what makes no sense is left out, and the rest still counts', () => {
  const view = decode(
    '#x=params&row=-3&window=1,0,0,1&tray=1,1,x&time=1.5&edges=1,2,3,4&select=polygon:a,b,1,2&select2=9&%E0%A4',
  )
  expect(view).toEqual({ ...START, x: 'params' })
  expect(decode('#select=rule:').selection).toBe(null)
  expect(decode('#select=mask:<script>').selection).toBe(null)
  expect(decode('#tray=1,2,3,4,5,6,7,8').tray).toEqual([1, 2, 3, 4, 5, 6])
})
