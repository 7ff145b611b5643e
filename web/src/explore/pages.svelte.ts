// Rows of the table by pages, fetched as they are needed; earlier ones stay until newer ones are there.
import type { TablePage } from '../lib/api'
import { aborted, post } from '../lib/client'

const PAGE = 100

export class Pages {
  total = $state<number | null>(null)
  error = $state<string | null>(null)
  private pages = $state.raw(new Map<number, TablePage['rows']>())
  private asked = new Set<number>()
  private body = ''
  private request = new AbortController()
  private seen: [number, number] = [0, 1]

  /** question: the body of POST /rows without its offset, as JSON. version: rows are fetched anew when it changes. */
  constructor(question: () => string, version: () => unknown) {
    $effect(() => {
      const body = question()
      version()
      if (body !== this.body) this.pages = new Map()
      this.body = body
      this.request.abort()
      this.request = new AbortController()
      this.asked.clear()
      this.need(...this.seen)
    })
  }

  row(at: number): TablePage['rows'][number] | null {
    return this.pages.get(Math.floor(at / PAGE))?.[at % PAGE] ?? null
  }

  /** Fetches the rows from `first` to before `last`. */
  need(first: number, last: number): void {
    this.seen = [first, last]
    if (!this.body) return
    for (let page = Math.floor(first / PAGE); page <= Math.floor((last - 1) / PAGE); page++) {
      if (this.asked.has(page)) continue
      this.asked.add(page)
      void this.fetch(page, this.request.signal)
    }
  }

  private async fetch(page: number, signal: AbortSignal): Promise<void> {
    try {
      const question = { ...JSON.parse(this.body), offset: page * PAGE, limit: PAGE }
      const found = await post<TablePage>('rows', question, signal)
      this.total = found.total
      this.pages = new Map(this.pages).set(page, found.rows)
      this.error = null
    } catch (error) {
      this.asked.delete(page)
      if (!aborted(error)) this.error = (error as Error).message
    }
  }
}
