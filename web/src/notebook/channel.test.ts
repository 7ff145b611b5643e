import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { Channel } from './channel'
import type { FromKernel, Host, ToKernel } from './host'

type Hear = Parameters<Host['hear']>[0]
const PREFIX = 'http://localhost:8888/lab/tree/api/v1/'
const NO_BUFFERS: DataView<ArrayBuffer>[] = []
const view = (bytes: Uint8Array | string) => {
  const copy = Uint8Array.from(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes)
  return new DataView(copy.buffer)
}

function opened() {
  const said: ToKernel[] = []
  let hear: Hear = () => {}
  const channel = new Channel({ send: (message) => said.push(message), hear: (callback) => (hear = callback) })
  const answer = (k: number, body: DataView<ArrayBuffer>, more: Partial<FromKernel & { kind: 'answer' }> = {}) => {
    const { id } = said[k] as ToKernel & { kind: 'ask' }
    hear({ kind: 'answer', id, status: 200, headers: { 'content-type': 'application/json' }, gzip: false, ...more }, [
      body,
    ])
  }
  return { channel, said, answer, hear: (message: FromKernel) => hear(message, NO_BUFFERS) }
}

test('answers find their calls in any order, packed or not', async () => {
  const { channel, said, answer } = opened()
  const first = channel.ask(`${PREFIX}state`)
  const second = channel.ask(`${PREFIX}columns/params.bin?hash=a%2Fb`)
  const third = channel.ask(`${PREFIX}select`, { method: 'POST', body: '{"rule":"x"}' })
  expect(said).toMatchObject([
    { kind: 'ask', method: 'GET', target: 'state', body: null },
    { kind: 'ask', method: 'GET', target: 'columns/params.bin?hash=a%2Fb', body: null },
    { kind: 'ask', method: 'POST', target: 'select', body: '{"rule":"x"}' },
  ])
  answer(2, view('{"error":"no such column"}'), { status: 422 })
  answer(1, view(gzipSync(Uint8Array.of(1, 2, 3))), { gzip: true })
  answer(0, view('{"finished":3}'))
  expect(await (await first).json()).toEqual({ finished: 3 })
  expect([...new Uint8Array(await (await second).arrayBuffer())]).toEqual([1, 2, 3])
  const refused = await third
  expect([refused.ok, refused.status]).toEqual([false, 422])
})

test('a call that is given up ends, and its late answer is dropped', async () => {
  const { channel, answer } = opened()
  const request = new AbortController()
  const call = channel.ask(`${PREFIX}effects`, { signal: request.signal })
  request.abort()
  await expect(call).rejects.toMatchObject({ name: 'AbortError' })
  answer(0, view('{}'))
  expect(channel.waiting).toBe(0)
})

test('events are heard until the listener ends', () => {
  const { channel, hear } = opened()
  const heard: unknown[] = []
  const links: string[] = []
  const end = channel.listen(
    (event) => heard.push(event),
    (link) => links.push(link),
  )
  hear({ kind: 'events', events: [['state', '{"finished":4}']] })
  end()
  hear({ kind: 'events', events: [['state', '{"finished":5}']] })
  expect(heard).toEqual([{ type: 'state', data: { finished: 4 } }])
  expect(links).toEqual(['live'])
})
