// Short messages at the bottom of the page.
export interface Message {
  id: number
  text: string
  kind: 'info' | 'error'
  action?: { label: string; run: () => void }
}

class Toasts {
  messages = $state<Message[]>([])
  private next = 1

  say(text: string, options: { kind?: Message['kind']; action?: Message['action']; seconds?: number } = {}): void {
    const { kind = 'info', action, seconds = kind === 'error' ? 12 : 5 } = options
    const id = this.next++
    this.messages = [...this.messages.slice(-3), { id, text, kind, action }]
    setTimeout(() => this.close(id), seconds * 1000)
  }

  error(error: unknown): void {
    this.say(error instanceof Error ? error.message : String(error), { kind: 'error' })
  }

  close(id: number): void {
    this.messages = this.messages.filter((m) => m.id !== id)
  }
}

export const toasts = new Toasts()
