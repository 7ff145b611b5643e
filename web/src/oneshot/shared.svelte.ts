// The shared weights of the open study and its trainings in full; asked for again while something is under way.
import { get, post } from '../lib/client'
import type { Assembled, Choices, OperationFacts, SharedState, TemplateFacts, Training } from '../lib/oneshot'
import { study } from '../lib/study.svelte'
import { toasts } from '../lib/toast.svelte'

const EVERY_MS = 1_500

class Shared {
  state = $state.raw<SharedState | null>(null)
  facts = $state.raw<TemplateFacts | null>(null)
  palette = $state.raw<OperationFacts[]>([])
  trainings = $state.raw<Training[]>([])
  assembled = $state.raw<Assembled | null>(null)
  busy = $state(false)
  problem = $state<string | null>(null)

  /** Whether it has to be asked for again: something trains. */
  moving = $derived(
    this.state?.state === 'waiting' ||
      this.state?.state === 'running' ||
      this.trainings.some((t) => t.state === 'running'),
  )

  async load(): Promise<void> {
    try {
      const [state, trainings] = await Promise.all([
        get<SharedState>('oneshot/state'),
        get<Training[]>('oneshot/trainings'),
      ])
      const first = JSON.stringify(state.template) !== JSON.stringify(this.state?.template)
      this.state = state
      this.trainings = trainings
      this.problem = null
      if (first) this.facts = await post<TemplateFacts>('oneshot/check', { template: state.template })
      if (!this.palette.length) this.palette = (await get<Choices>('oneshot/presets')).palette
    } catch (error) {
      this.problem = (error as Error).message
    }
  }

  /** Follows what trains; call once, in a component. */
  follow(): void {
    $effect(() => {
      void study.asked
      void study.state?.driving
      void this.load()
    })
    $effect(() => {
      if (!this.moving) return
      const timer = setInterval(() => void this.load(), EVERY_MS)
      return () => clearInterval(timer)
    })
  }

  async train(on: boolean): Promise<void> {
    await this.ask(async () => {
      this.state = await post<SharedState>('oneshot/training', { on })
    })
  }

  async assemble(choose: string): Promise<void> {
    await this.ask(async () => {
      this.assembled = await post<Assembled>('oneshot/assemble', { choose })
    })
  }

  async trainInFull(
    choose: string,
    epochs: number,
    seed: number,
    baseline: null | 'template' | 'random' | 'evaluated',
  ): Promise<void> {
    await this.ask(async () => {
      await post('oneshot/train', { choose, epochs, seed, baseline })
      await this.load()
    })
  }

  private async ask(work: () => Promise<void>): Promise<void> {
    this.busy = true
    try {
      await work()
    } catch (error) {
      toasts.error(error)
    }
    this.busy = false
  }
}

export const shared = new Shared()
