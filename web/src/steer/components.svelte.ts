// The option that is looked at, shared by the table of options, the scatter of them, the keyboard and the map.
import type { Effects } from '../lib/api'
import { post } from '../lib/client'
import { study } from '../lib/study.svelte'
import { view } from '../lib/view.svelte'
import { Answer } from './answer.svelte'
import { type OptionOfChoice, same } from './edits'
import { genes } from './genes.svelte'
import { type OptionCell, optionTable } from './option_table'

export type Scope = 'everything' | 'selection' | 'predicted'

/** The card that is open. */
export type Opened = { place: DOMRect } & (
  | { what: 'option'; cell: OptionCell }
  | { what: 'anywhere'; option: string }
  | { what: 'choice'; choice: string; banned: string[] }
)

class Components {
  effects = new Answer<Effects>(1_000)
  scope = $state<Scope>('everything')
  chosen = $state.raw<OptionCell | null>(null)
  hovered = $state.raw<OptionOfChoice | null>(null)
  opened = $state.raw<Opened | null>(null)
  table = $derived(this.effects.value && optionTable(this.effects.value))

  /** Points out on the map who has the option; null points out nobody. */
  async hover(option: OptionOfChoice | null): Promise<void> {
    this.hovered = option
    if (option) await genes.load()
    if (this.hovered === option) view.highlighted = option && genes.mask(option)
  }

  /** Opens the card of an option beside an element. */
  open(option: OptionOfChoice, at: Element): void {
    const cell = this.table?.cells.flat().find((c) => same(c, option))
    if (!cell) return
    this.chosen = cell
    this.opened = { what: 'option', cell, place: at.getBoundingClientRect() }
  }

  /** Opens the card of an option wherever it stands. */
  openAnywhere(option: string, at: Element): void {
    this.opened = { what: 'anywhere', option, place: at.getBoundingClientRect() }
  }

  /** Opens the card of a choice. */
  openChoice(choice: string, at: Element): void {
    const cells = this.table?.cells.flat().filter((cell) => cell?.choice === choice && cell.status === 'banned') ?? []
    const banned = cells.flatMap((cell) => (cell ? [cell.option] : []))
    this.opened = { what: 'choice', choice, banned, place: at.getBoundingClientRect() }
  }

  /** Asks again when results, steering or the selection change; call once, in a component. */
  follow(): void {
    $effect(() => {
      if (view.row !== null) this.chosen = null // keys act on what was chosen last
    })
    $effect(() => {
      const { scope } = this
      const within = scope === 'selection' ? view.scope.selection : {}
      const changed = [study.state?.finished, study.steering?.rev, study.column('predicted')?.hash]
      if (changed[1] === undefined) return
      const of = scope === 'predicted' ? 'predicted' : 'result'
      this.effects.want(() => post<Effects>('effects', { selection: within, of }))
    })
  }
}

export const components = new Components()
