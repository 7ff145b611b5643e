// What is proposed and waits, and for how long; asked again when trials or steering change.
import type { Batch } from '../lib/api'
import { get } from '../lib/client'
import { study } from '../lib/study.svelte'
import { Answer } from './answer.svelte'

export const batch = new Answer<Batch>()

/** Follows the study; call once, in a component. */
export function keepBatch(): void {
  $effect(() => {
    if (study.meta?.study && study.steering && study.trials) batch.want(() => get<Batch>('batch'))
  })
}

/** The time in seconds since the epoch, for countdowns; call in a component. */
export function ticking(): { readonly now: number } {
  let now = $state(Date.now() / 1000)
  $effect(() => {
    const timer = setInterval(() => (now = Date.now() / 1000), 250)
    return () => clearInterval(timer)
  })
  return {
    get now() {
      return now
    },
  }
}
