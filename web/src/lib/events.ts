// One stream of events a browser: HTTP/1.1 allows six connections to a host, so tabs elect one that listens for all.
import type { Event as StudyEvent } from './api'
import { address } from './client'

export type Link = 'connecting' | 'live' | 'lost'
const TYPES: StudyEvent['type'][] = ['trials', 'state', 'steering', 'columns', 'study']

/** Calls `hear` with every event and `link` when the connection changes. Returns a function that ends it. */
export type Listen = (hear: (event: StudyEvent) => void, link: (state: Link) => void) => () => void
let listening: Listen = follow

/** Lets events come from elsewhere, such as from the kernel of a notebook. */
export function listenThrough(other: Listen): void {
  listening = other
}

export const listen: Listen = (hear, link) => listening(hear, link)

function follow(hear: (event: StudyEvent) => void, link: (state: Link) => void): () => void {
  const channel = new BroadcastChannel(`tierwise ${address('events')}`)
  let source: EventSource | null = null
  let last = ''
  let closed = false

  channel.onmessage = ({ data }: MessageEvent<{ event?: StudyEvent; link?: Link; last?: string; hello?: true }>) => {
    if (data.last) last = data.last
    if (data.event) hear(data.event)
    if (data.link) link(data.link)
    if (data.hello && source) channel.postMessage({ link: source.readyState === 1 ? 'live' : 'connecting', last })
  }

  function say(state: Link) {
    link(state)
    channel.postMessage({ link: state })
  }

  function open() {
    source?.close()
    if (closed) return
    const current = new EventSource(address('events', { last_event_id: last || undefined }), { withCredentials: true })
    source = current
    current.onopen = () => say('live')
    current.onerror = () => {
      say('lost')
      if (current.readyState === EventSource.CLOSED) setTimeout(() => source === current && open(), 2_000)
    }
    for (const type of TYPES) {
      current.addEventListener(type, (message: MessageEvent<string>) => {
        last = message.lastEventId || last
        const event = { type, data: JSON.parse(message.data) } as StudyEvent
        hear(event)
        channel.postMessage({ event, last })
      })
    }
  }

  const leader = new AbortController()
  const ended = new Promise<void>((done) => leader.signal.addEventListener('abort', () => done()))
  if (navigator.locks) {
    // Held as long as this tab lives; the next one in the queue takes over.
    const lead = () => {
      open()
      return ended
    }
    navigator.locks.request(channel.name, { signal: leader.signal }, lead).catch(() => {})
  } else open() // no secure context: every tab listens for itself
  channel.postMessage({ hello: true })

  return () => {
    closed = true
    leader.abort()
    source?.close()
    channel.close()
  }
}
