// Values of columns as typed arrays, one a row of the population; loaded when first asked for, kept by hash.
import { untrack } from 'svelte'
import type { Column } from './api'
import { bytes } from './client'
import { study } from './study.svelte'

export type Values = Uint16Array | Uint8Array | Float32Array | Float64Array

const ARRAYS = { uint16: Uint16Array, uint8: Uint8Array, float32: Float32Array, float64: Float64Array }

class Columns {
  private loaded = $state.raw(new Map<string, { hash: string; values: Values }>())
  private loading = new Map<string, string>()
  error = $state<string | null>(null)

  /** The values, or the earlier ones while newer ones load, or null. Safe in derived state: asking starts the loading. */
  get(name: string): Values | null {
    const column = study.column(name)
    if (!column) return null
    const known = this.loaded.get(name)
    if (known?.hash !== column.hash && this.loading.get(name) !== column.hash) {
      this.loading.set(name, column.hash)
      queueMicrotask(() => void this.load(column))
    }
    return known?.values ?? null
  }

  /** The values, once they are there; null where there are none. */
  async fetch(name: string): Promise<Values | null> {
    const column = study.column(name)
    if (!column) return null
    if (this.loaded.get(name)?.hash !== column.hash) await this.load(column)
    return this.loaded.get(name)?.values ?? null
  }

  /** Puts results into their column as they are told; the server sends it anew only now and then. Call once, in a component. */
  followResults(): void {
    $effect(() => {
      const objective = study.meta?.study?.objective ?? ''
      const told = study.changed.filter((t) => t.state === 'done' && t.budget === 0)
      const known = untrack(() => this.loaded.get('result'))
      if (!known || !told.length) return
      const values = known.values.slice()
      for (const { row, metrics } of told) if (row < values.length) values[row] = metrics[objective] ?? Number.NaN
      this.loaded = new Map(untrack(() => this.loaded)).set('result', { ...known, values })
    })
  }

  private async load(column: Column): Promise<void> {
    try {
      const buffer = await bytes(`columns/${encodeURIComponent(column.name)}.bin`, { hash: column.hash })
      const wanted = this.loading.get(column.name)
      if (wanted !== undefined && wanted !== column.hash) return // a newer one is on its way
      const values = new ARRAYS[column.dtype](buffer)
      this.loaded = new Map(this.loaded).set(column.name, { hash: column.hash, values })
      this.error = null
    } catch (error) {
      this.loading.delete(column.name)
      this.error = (error as Error).message
    }
  }
}

export const columns = new Columns()
