import { expect, test } from 'vitest'
import type { Effects } from '../lib/api'
import { firstCell, moved, optionTable, sharedPrefix } from './option_table'

const effects: Effects = {
  n: 40,
  choices: ['width', 'op', 'end'],
  options: [
    ['16', '32', null],
    ['none', 'conv', null],
    ['conv', '16', 'none'],
  ],
  fitness: [
    [0.4, 0.6, null],
    [0.1, 0.9, null],
    [0.5, 0.5, 0.5],
  ],
  effect: [
    [-1, 1, null],
    [-3, 3, null],
    [0, 0, 0],
  ],
  low: [
    [-2, 0, null],
    [-4, 2, null],
    [0, 0, 0],
  ],
  high: [
    [0, 2, null],
    [-2, 4, null],
    [0, 0, 0],
  ],
  count: [
    [20, 20, 0],
    [10, 30, 0],
    [13, 13, 14],
  ],
  thin: [
    [true, false, false],
    [false, false, false],
    [true, true, true],
  ],
  status: [
    ['', '', ''],
    ['banned', '', ''],
    ['', '', ''],
  ],
}
const table = optionTable(effects)

test('an option of one name is one row, and choices that lack it have no cell there', () => {
  expect(table.options).toEqual(['16', '32', 'none', 'conv'])
  expect(table.cells.map((row) => row.map((cell) => cell?.effect ?? null))).toEqual([
    [-1, null, 0],
    [1, null, null],
    [null, -3, 0],
    [null, 3, 0],
  ])
  expect(table.cells[2][1]).toMatchObject({ choice: 'op', option: 'none', count: 10, status: 'banned', low: -4 })
})

test('arrows go over the gaps and stay at the border', () => {
  expect(firstCell(table)).toEqual([0, 0])
  expect(moved(table, [0, 0], 'ArrowRight')).toEqual([0, 2])
  expect(moved(table, [0, 2], 'ArrowDown')).toEqual([2, 2])
  expect(moved(table, [0, 0], 'ArrowUp')).toEqual([0, 0])
  expect(moved(table, [2, 1], 'ArrowLeft')).toEqual([2, 1])
  expect(moved(table, [2, 1], 'Tab')).toEqual([2, 1])
})

test('headings leave out what all paths begin with, at whole names only', () => {
  expect(sharedPrefix(['cell/0-1', 'cell/0-2'])).toBe('cell/'.length)
  expect(sharedPrefix(['layer1/conv3', 'layer1/conv5', 'layer2/conv3'])).toBe(0)
  expect(sharedPrefix(['width', 'depth'])).toBe(0)
  expect(sharedPrefix(['cell/0-1'])).toBe(0)
})
