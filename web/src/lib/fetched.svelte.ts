// What one GET or POST answers, fetched anew when its subject or its version changes. Create it in a component.
import { untrack } from 'svelte'
import { aborted } from './client'

export class Fetched<T> {
  value = $state.raw<T | null>(null)
  error = $state<string | null>(null)
  loading = $state(false)
  private request: AbortController | null = null
  private subject: unknown

  /**
   * subject: of what; null fetches nothing. A new subject forgets the earlier answer.
   * version: when it changes, the answer is replaced once the new one is there, without a flash.
   */
  constructor(subject: () => unknown, version: () => unknown, ask: (signal: AbortSignal) => Promise<T>, wait = 0) {
    $effect(() => {
      const of = subject()
      version()
      untrack(() => {
        if (of !== this.subject || of === null) this.value = null
        this.subject = of
        this.error = null
        this.request?.abort()
        this.loading = of !== null
        if (of === null) return
        const request = new AbortController()
        this.request = request
        setTimeout(() => request.signal.aborted || void this.fetch(ask, request.signal), wait)
      })
      return () => this.request?.abort()
    })
  }

  private async fetch(ask: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<void> {
    try {
      const value = await ask(signal)
      if (signal.aborted) return
      this.value = value
      this.error = null
    } catch (error) {
      if (aborted(error) || signal.aborted) return
      this.error = (error as Error).message
    }
    this.loading = false
  }
}
