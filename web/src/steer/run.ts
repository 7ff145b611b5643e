import type { State } from '../lib/api'

export interface RunState {
  kind: 'searching' | 'paused' | 'stopped' | 'idle' | 'done'
  sign: string
  text: string
}

/** What the run does, in a word; a search that is held by a person says so even where nobody drives it. */
export function runState(state: Pick<State, 'driving' | 'paused' | 'stopped' | 'finished' | 'total'>): RunState {
  if (state.stopped) return { kind: 'stopped', sign: '■', text: 'stopped' }
  if (state.paused) return { kind: 'paused', sign: '‖', text: state.driving ? 'paused' : 'paused, no driver' }
  if (state.driving) return { kind: 'searching', sign: '▶', text: 'searching' }
  if (state.total !== null && state.finished >= state.total) return { kind: 'done', sign: '✓', text: 'finished' }
  return { kind: 'idle', sign: '○', text: 'no driver' }
}
