import { expect, test } from 'vitest'
import { runState } from './run'

const state = { driving: true, paused: false, stopped: false, finished: 3, total: 10 }

test.each([
  [{}, 'searching'],
  [{ paused: true }, 'paused'],
  [{ paused: true, driving: false }, 'paused, no driver'],
  [{ stopped: true, paused: true }, 'stopped'],
  [{ driving: false }, 'no driver'],
  [{ driving: false, total: null }, 'no driver'],
  [{ driving: false, finished: 10 }, 'finished'],
])('%o reads as %s', (change, text) => expect(runState({ ...state, ...change }).text).toBe(text))
