// What the server says of the open study. The page holds copies to show and changes none of them.
import type { Column, Event, Meta, State, Steering, Trial } from './api'
import { ApiError, get } from './client'
import { type Link, listen } from './events'

class Study {
  meta = $state.raw<Meta | null>(null)
  state = $state.raw<State | null>(null)
  steering = $state.raw<Steering | null>(null)
  trials = $state.raw<Trial[]>([]) // by id: trials[0] is trial 1
  changed = $state.raw<Trial[]>([]) // by the latest event
  link = $state<Link>('connecting')
  error = $state<string | null>(null) // why nothing can be shown
  private missed: Event[] | null = null // events that came while everything was being loaded
  asked = $state(0) // grows with every reload of everything

  columns = $derived(this.meta?.columns ?? [])
  rows = $derived(this.meta?.population?.rows ?? 0)
  percent = $derived(this.meta?.study?.percent ?? false)
  readOnly = $derived(this.meta?.read_only ?? false)
  told = $derived(this.trials.filter((t) => t.told !== null).sort((a, b) => (a.told as number) - (b.told as number)))
  /** Full evaluations by row: the latest trial of each. */
  byRow = $derived(new Map(this.trials.filter((t) => t.budget === 0 && t.state !== 'withdrawn').map((t) => [t.row, t])))

  column(name: string): Column | undefined {
    return this.columns.find((c) => c.name === name)
  }

  /** Reads everything and follows the events. Returns a function that ends it. */
  open(): () => void {
    const end = listen(
      (event) => this.hear(event),
      (link) => {
        this.link = link
        if (link === 'live' && this.error) void this.load()
      },
    )
    void this.load() // after listening: nothing falls between
    return end
  }

  async load(): Promise<void> {
    this.missed = []
    try {
      const meta = await get<Meta>('meta')
      if (meta.study) {
        const [state, steering, trials] = await Promise.all([
          get<State>('state'),
          get<Steering>('steering'),
          get<Trial[]>('trials'),
        ])
        this.state = state
        this.steering = steering
        this.trials = trials
      }
      this.meta = meta
      this.error = null
      this.asked++
      for (const event of this.missed) this.take(event)
    } catch (error) {
      this.error = error instanceof ApiError ? error.message : String(error)
    }
    this.missed = null
  }

  hear(event: Event): void {
    this.missed?.push(event)
    if (this.meta) this.take(event)
  }

  private take(event: Event): void {
    if (event.type === 'trials') this.merge(event.data)
    else if (event.type === 'state') this.takeState(event.data)
    else if (event.type === 'steering') this.steering = event.data
    else if (event.type === 'columns') this.replaceColumns(event.data)
    else void this.load()
  }

  private merge(changed: Trial[]): void {
    this.changed = changed
    const trials = this.trials.slice()
    for (const trial of changed) trials[trial.id - 1] = trial
    // A hole would mean that an event was missed.
    if (changed.some((t) => t.id > this.trials.length) && trials.includes(undefined as never)) void this.load()
    else this.trials = trials
  }

  private takeState(state: State): void {
    this.state = state
    const { population } = state // a sample grows by what is evaluated
    const grown = population && population.rows !== this.meta?.population?.rows
    if (grown && this.meta) this.meta = { ...this.meta, population }
  }

  private replaceColumns(changed: Column[]): void {
    if (!this.meta) return
    const columns = new Map(this.meta.columns.map((c) => [c.name, c]))
    for (const column of changed) columns.set(column.name, column)
    this.meta = { ...this.meta, columns: [...columns.values()] }
  }
}

export const study = new Study()
