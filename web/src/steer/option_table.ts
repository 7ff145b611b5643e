// The options of all choices as one table: a row for each name that an option has anywhere, a column for each choice.
import type { Effects } from '../lib/api'
import type { OptionOfChoice } from './edits'

export interface OptionCell extends OptionOfChoice {
  effect: number | null
  low: number | null
  high: number | null
  fitness: number | null
  count: number
  thin: boolean
  status: Effects['status'][number][number]
}
export interface OptionTable {
  options: string[]
  choices: string[]
  cells: (OptionCell | null)[][] // options x choices; null where the choice has no such option
}

export function optionTable(effects: Effects): OptionTable {
  const options = [...new Set(effects.options.flat().filter((o): o is string => o !== null))]
  const cells = options.map((option) => effects.choices.map((choice, i) => cellOf(effects, choice, i, option)))
  return { options, choices: effects.choices, cells }
}

function cellOf(effects: Effects, choice: string, i: number, option: string): OptionCell | null {
  const j = effects.options[i].indexOf(option)
  if (j < 0) return null
  const of = <T>(table: T[][]): T => table[i][j]
  return {
    choice,
    option,
    effect: of(effects.effect),
    low: of(effects.low),
    high: of(effects.high),
    fitness: of(effects.fitness),
    count: of(effects.count),
    thin: of(effects.thin),
    status: of(effects.status),
  }
}

/** The next cell that is there, from (row, column) in the direction of an arrow key; the same one at the border. */
export function moved(table: OptionTable, [row, column]: [number, number], key: string): [number, number] {
  const step: Record<string, [number, number]> = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
  }
  const [down, right] = step[key] ?? [0, 0]
  if (!down && !right) return [row, column]
  for (let r = row + down, c = column + right; table.cells[r]?.[c] !== undefined; r += down, c += right) {
    if (table.cells[r][c] !== null) return [r, c]
  }
  return [row, column]
}

export function firstCell(table: OptionTable): [number, number] | null {
  const row = table.cells.findIndex((cells) => cells.some((cell) => cell !== null))
  return row < 0 ? null : [row, table.cells[row].findIndex((cell) => cell !== null)]
}

/** How much of the paths is the same for all of them, up to a slash: 'cell/' of cell/0-1 and cell/0-2. */
export function sharedPrefix(paths: string[]): number {
  const [first = '', ...others] = paths
  if (!others.length) return 0
  let length = 0
  while (length < first.length && others.every((path) => path[length] === first[length])) length++
  return first.lastIndexOf('/', length - 1) + 1
}
