// The selection: a set of rows of the population, as a rule, a region of the map or a mask. Its facts come from the server.

import type { Row, Selection, SelectionFacts } from './api'
import * as bits from './bits'
import { aborted, post } from './client'
import { study } from './study.svelte'

class Selected {
  current = $state.raw<Selection | null>(null)
  mask = $state.raw<bits.Bits | null>(null) // null: nothing is selected, or the server has not yet said what
  facts = $state.raw<SelectionFacts | null>(null)
  loading = $state(false)
  error = $state<string | null>(null)
  private request: AbortController | null = null
  private timer: ReturnType<typeof setTimeout> | undefined

  /** Selects; `mask` where it is known already, so that the map need not wait for the server. */
  set(selection: Selection | null, mask: bits.Bits | null = null): void {
    this.current = selection
    this.mask = mask ?? (selection?.mask ? bits.fromBase64(selection.mask) : null)
    this.facts = null
    this.error = null
    this.request?.abort()
    clearTimeout(this.timer)
    this.loading = selection !== null
    if (selection) this.timer = setTimeout(() => void this.ask(selection), 50)
  }

  setMask(mask: bits.Bits): void {
    if (bits.isEmpty(mask)) this.clear()
    else this.set({ mask: bits.toBase64(mask) }, mask)
  }

  setRows(rows: Iterable<Row>): void {
    this.setMask(bits.of(study.rows, rows))
  }

  clear(): void {
    this.set(null)
  }

  combine(mask: bits.Bits, how: bits.SetOperation): void {
    this.setMask(bits.combine(this.mask ?? bits.empty(study.rows), mask, how))
  }

  invert(): void {
    this.setMask(bits.complement(this.mask ?? bits.empty(study.rows), study.rows))
  }

  /** Asks again, such as after new results. */
  refresh(): void {
    if (this.current) void this.ask(this.current)
  }

  private async ask(selection: Selection): Promise<void> {
    this.request?.abort()
    const request = new AbortController()
    this.request = request
    try {
      const facts = await post<SelectionFacts>('select', selection, request.signal)
      this.facts = facts
      this.mask = bits.fromBase64(facts.mask)
      this.error = null
    } catch (error) {
      if (aborted(error)) return
      this.error = (error as Error).message
    }
    this.loading = false
  }
}

export const selection = new Selected()
