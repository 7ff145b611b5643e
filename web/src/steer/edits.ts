// Edits as rows of `tierwise steer`, and which of them need no look before they are written.
import type { Edit, SteerRow } from '../lib/api'

export interface OptionOfChoice {
  choice: string
  option: string
}

export const lock = ({ choice, option }: OptionOfChoice): Edit => ({ kind: 'pin', choice, option })
export const ban = ({ choice, option }: OptionOfChoice): Edit => ({ kind: 'ban', choice, option })
export const prefer = ({ choice, option }: OptionOfChoice): Edit => ({ kind: 'prefer', choice, options: [option] })
export const avoid = ({ choice, option }: OptionOfChoice): Edit => ({ kind: 'avoid', choice, options: [option] })
export const banNetwork = (architecture: string): Edit => ({ kind: 'ban', architecture })
export const evaluate = (architecture: string): Edit => ({ kind: 'evaluate', architecture })
export const takeBack = (row: number): Edit => ({ kind: 'retract', row })

/** Edits that change which architectures may be proposed, or how often: they are looked at before they are written. */
const LOOKED_AT = new Set(['narrow', 'pin', 'ban', 'prefer', 'avoid', 'retract', 'stop'])

export function isLookedAt(edit: Edit): boolean {
  return LOOKED_AT.has(edit.kind)
}

/** The rule of a filter that an architecture fulfils which has this option. */
export function ruleOf({ choice, option }: OptionOfChoice): string {
  return `pick(${JSON.stringify(choice)}) == ${JSON.stringify(option)}`
}

/** The rows in force that came after a row, the latest first: what "revert to here" takes back. */
export function after(rows: SteerRow[], id: number): SteerRow[] {
  return rows.filter((row) => row.id > id && row.state === 'in force').reverse()
}

export function same(a: OptionOfChoice | null, b: OptionOfChoice | null): boolean {
  return a !== null && b !== null && a.choice === b.choice && a.option === b.option
}

/** The rows in force that decide about this option and nothing else. */
export function rowsAbout(rows: SteerRow[], { choice, option }: OptionOfChoice): SteerRow[] {
  const names = ({ what }: SteerRow) => (Array.isArray(what.options) ? what.options : [what.option])
  return rows.filter((row) => row.state === 'in force' && row.what.choice === choice && names(row).includes(option))
}
