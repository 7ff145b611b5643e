// Architectures by row or text, as the server knows them; the latest ones are kept until something changes.
import type { Arch, Row } from '../lib/api'
import { get } from '../lib/client'
import { study } from '../lib/study.svelte'

const KEPT = 300
const REST_MS = 120 // the pointer rests this long before its point is drawn

class Archs {
  private known = $state.raw(new Map<Row, { arch: Arch; version: string }>())
  private asked = new Map<Row, string>()
  private timer: ReturnType<typeof setTimeout> | undefined

  /** Changes whenever what is known of any architecture may have changed. */
  version = $derived(
    `${study.steering?.rev} ${study.state?.finished} ${study.columns.map((c) => c.hash).join()} ${study.asked}`,
  )

  /** The architecture of a row, or null while it is fetched. */
  get(row: Row): Arch | null {
    this.fetch(row, 0)
    return this.known.get(row)?.arch ?? null
  }

  /** The same, fetched once the pointer rests. */
  resting(row: Row): Arch | null {
    this.fetch(row, REST_MS)
    return this.known.get(row)?.arch ?? null
  }

  private fetch(row: Row, wait: number): void {
    const { version } = this
    if (this.known.get(row)?.version === version || this.asked.get(row) === version) return
    if (wait) clearTimeout(this.timer)
    const timer = setTimeout(() => void this.ask(row, version), wait)
    if (wait) this.timer = timer
    else this.asked.set(row, version)
  }

  private async ask(row: Row, version: string): Promise<void> {
    this.asked.set(row, version)
    try {
      const arch = await get<Arch>('archs', { row })
      const kept = [...this.known].filter(([r]) => r !== row).slice(1 - KEPT)
      this.known = new Map([...kept, [row, { arch, version }]])
    } catch {
      this.asked.delete(row) // asked again when somebody looks again
    }
  }
}

export const archs = new Archs()
