// The kernel in place of the server: calls like `fetch`, and the events, over messages of the widget.
import type { Event as StudyEvent } from '../lib/api'
import type { Ask } from '../lib/client'
import type { Listen } from '../lib/events'
import type { FromKernel, Host } from './host'

const MARK = '/api/v1/' // of addresses, see lib/client.ts

interface Call {
  take: (response: Response) => void
  since: number // performance.now()
}

export class Channel {
  private readonly calls = new Map<string, Call>()
  private readonly listeners = new Set<(event: StudyEvent) => void>()
  private readonly own = Math.random().toString(36).slice(2) // other views of the widget hear the same answers
  private next = 0

  constructor(private readonly host: Pick<Host, 'send' | 'hear'>) {
    host.hear((message, buffers) => void this.hear(message, buffers))
  }

  readonly ask: Ask = (url, init = {}) => {
    const id = `${this.own}.${this.next++}`
    return new Promise<Response>((take, fail) => {
      const stop = () => {
        this.calls.delete(id)
        fail(new DOMException('The call was given up', 'AbortError'))
      }
      if (init.signal?.aborted) return stop()
      init.signal?.addEventListener('abort', stop)
      this.calls.set(id, { take, since: performance.now() })
      const target = url.slice(url.indexOf(MARK) + MARK.length)
      this.host.send({ kind: 'ask', id, method: init.method ?? 'GET', target, body: (init.body as string) ?? null })
    })
  }

  readonly listen: Listen = (hear, link) => {
    this.listeners.add(hear)
    link('live')
    return () => this.listeners.delete(hear)
  }

  /** Milliseconds that the oldest unanswered call has waited. */
  get waiting(): number {
    const [oldest] = this.calls.values()
    return oldest ? performance.now() - oldest.since : 0
  }

  private async hear(message: FromKernel, buffers: DataView<ArrayBuffer>[]): Promise<void> {
    if (message.kind === 'events') {
      for (const [type, data] of message.events)
        for (const hear of this.listeners) hear({ type, data: JSON.parse(data) } as StudyEvent)
    } else if (message.kind === 'answer') {
      const call = this.calls.get(message.id)
      this.calls.delete(message.id)
      call?.take(response(message, buffers[0]))
    }
  }
}

function response(message: FromKernel & { kind: 'answer' }, content: DataView<ArrayBuffer>): Response {
  const { status, headers, gzip } = message
  const packed = new Blob([content])
  return new Response(gzip ? packed.stream().pipeThrough(new DecompressionStream('gzip')) : packed, { status, headers })
}
