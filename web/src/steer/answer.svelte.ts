/** What the server answered last, asked again as often as somebody wants: one request at a time, the latest wish next. */
export class Answer<T> {
  value = $state.raw<T | null>(null)
  error = $state<string | null>(null)
  #wanted: (() => Promise<T>) | null = null
  #busy = false

  /** gap: least milliseconds between two requests, so that a stream of events does not become a stream of requests. */
  constructor(readonly gap = 300) {}

  want(ask: () => Promise<T>): void {
    this.#wanted = ask
    if (!this.#busy) void this.#run()
  }

  async #run(): Promise<void> {
    this.#busy = true
    while (this.#wanted) {
      const ask = this.#wanted
      this.#wanted = null
      try {
        const value = await ask()
        this.value = value
        this.error = null
      } catch (error) {
        this.error = (error as Error).message
      }
      await new Promise((done) => setTimeout(done, this.gap))
    }
    this.#busy = false
  }
}
