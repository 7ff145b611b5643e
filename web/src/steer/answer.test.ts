import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Answer } from './answer.svelte'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('many wishes are few requests, and the latest one is answered', async () => {
  const answer = new Answer<number>(300)
  const asked: number[] = []
  for (let n = 0; n < 100; n++) {
    answer.want(async () => {
      asked.push(n)
      return n
    })
    await vi.advanceTimersByTimeAsync(10)
  }
  await vi.advanceTimersByTimeAsync(1000)
  expect(answer.value).toBe(99)
  expect(asked.length).toBeLessThanOrEqual(6)
})

test('what was there stays while something fails, and the failure is told until it works', async () => {
  const answer = new Answer<number>(10)
  answer.want(async () => 1)
  await vi.advanceTimersByTimeAsync(50)
  answer.want(() => Promise.reject(new Error('no server')))
  await vi.advanceTimersByTimeAsync(50)
  expect([answer.value, answer.error]).toEqual([1, 'no server'])
  answer.want(async () => 2)
  await vi.advanceTimersByTimeAsync(50)
  expect([answer.value, answer.error]).toEqual([2, null])
})
