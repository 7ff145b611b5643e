// What is looked at. The whole of it stands in the hash of the address.

import { untrack } from 'svelte'
import type { Row, Selection, SelectionFacts } from './api'
import * as bits from './bits'
import { aborted, post } from './client'
import { decode, encode, type Window } from './hash'
import { selection } from './selection.svelte'
import { settings } from './settings.svelte'

const MOST_COMPARED = 6

class View {
  x = $state('')
  y = $state('')
  colour = $state('')
  window = $state.raw<Window | null>(null)
  region = $state.raw<Selection | null>(null) // what the map shows when it is zoomed in, as a polygon
  row = $state<Row | null>(null) // selected: the inspector shows it
  hovered = $state<Row | null>(null)
  highlighted = $state.raw<bits.Bits | null>(null) // rows that the map points out for now, such as those of a hovered option
  tray = $state.raw<Row[]>([]) // compared; the first is the baseline
  time = $state<number | null>(null)
  edges = $state.raw<number[] | null>(null) // cut-offs between tiers that somebody has moved
  tabs = $state<Record<string, string>>({ ...settings.tabs })
  filter = $state('')
  filterMask = $state.raw<bits.Bits | null>(null) // null: no filter
  filterCount = $state<number | null>(null)
  filterError = $state<string | null>(null)
  private request: AbortController | null = null

  /** What tiers, components and table speak of: the selection, else the region in view, else the filter, else all. */
  scope = $derived<{ of: 'selection' | 'view' | 'filter' | 'all'; selection: Selection }>(
    selection.current
      ? { of: 'selection', selection: selection.current }
      : this.region
        ? { of: 'view', selection: this.region }
        : this.filterMask
          ? { of: 'filter', selection: { rule: this.filter } }
          : { of: 'all', selection: {} },
  )

  /** Filters by an expression, the same as in Python and on the command line; '' filters nothing. */
  async setFilter(rule: string): Promise<void> {
    this.request?.abort()
    this.filter = rule.trim()
    this.filterError = null
    if (!this.filter) {
      this.filterMask = null
      this.filterCount = null
      return
    }
    const request = new AbortController()
    this.request = request
    try {
      const facts = await post<SelectionFacts>('select', { rule: this.filter }, request.signal)
      this.filterMask = bits.fromBase64(facts.mask)
      this.filterCount = facts.count
    } catch (error) {
      if (!aborted(error)) this.filterError = (error as Error).message
    }
  }

  /** Selects one architecture and shows it. */
  choose(row: Row): void {
    this.row = row
    if (!['inspector', 'compare'].includes(this.tabs.inspect)) this.tabs.inspect = 'inspector'
  }

  show(region: string, pane: string): void {
    for (const where of [region, 'narrow']) {
      this.tabs[where] = pane
      settings.tabs[where] = pane
    }
  }

  inTray(row: Row): boolean {
    return this.tray.includes(row)
  }

  /** Puts rows into the compare tray, or takes one out. False where the tray is full. */
  toggleTray(row: Row): boolean {
    if (this.inTray(row)) this.tray = this.tray.filter((r) => r !== row)
    else if (this.tray.length >= MOST_COMPARED) return false
    else this.tray = [...this.tray, row]
    return true
  }

  compare(rows: Row[]): void {
    this.tray = [...new Set(rows)].slice(0, MOST_COMPARED)
    this.show('inspect', 'compare')
  }

  /** Follows the address and keeps it up to date; call once, in a component. */
  keepAddress(): void {
    let wasSelected = false
    const read = () => {
      const given = decode(location.hash)
      Object.assign(this, {
        x: given.x,
        y: given.y,
        colour: given.colour || settings.colour,
        window: given.window,
        row: given.row,
        tray: given.tray,
        time: given.time,
        edges: given.edges,
      })
      Object.assign(this.tabs, given.tabs)
      if (given.filter !== this.filter) void this.setFilter(given.filter)
      if (JSON.stringify(given.selection) !== JSON.stringify(selection.current)) selection.set(given.selection)
      wasSelected = selection.current !== null
    }
    read()
    $effect(() => {
      // A new selection shows its pane; without one that pane has nothing to say.
      const selected = selection.current !== null
      untrack(() => {
        if (selected && !wasSelected) this.tabs.inspect = 'selection'
        else if (!selected && this.tabs.inspect === 'selection') this.tabs.inspect = 'inspector'
        wasSelected = selected
      })
    })
    let written = location.hash
    $effect(() => {
      const hash = encode({
        x: this.x,
        y: this.y,
        colour: this.colour,
        window: this.window,
        filter: this.filter,
        row: this.row,
        tray: this.tray,
        selection: selection.current,
        time: this.time,
        edges: this.edges,
        tabs: this.tabs,
      })
      const timer = setTimeout(() => {
        written = `#${hash}`
        history.replaceState(null, '', written)
      }, 200)
      return () => clearTimeout(timer)
    })
    $effect(() => {
      const changed = () => location.hash !== written && read()
      addEventListener('hashchange', changed)
      return () => removeEventListener('hashchange', changed)
    })
  }
}

export const view = new View()
