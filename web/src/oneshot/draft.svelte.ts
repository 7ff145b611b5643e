// The template that is being drawn, and what the server says of it.
import { aborted, get, post } from '../lib/client'
import type { Choices, Op, OperationFacts, Plan, Sampled, Template, TemplateFacts } from '../lib/oneshot'
import { toasts } from '../lib/toast.svelte'
import { type At, added, copied, EMPTY, moved, removed, type Where, withBlock } from './template'

const PAUSE_MS = 120 // of typing, before the server is asked
const MOST_STEPS = 100
const FIRST = 'small'

class Draft {
  choices = $state.raw<Choices | null>(null)
  template = $state.raw<Template>(EMPTY)
  facts = $state.raw<TemplateFacts | null>(null)
  checking = $state(false)
  selected = $state.raw<At | null>(null)
  sample = $state.raw<Sampled | null>(null)
  mask = $state.raw<number[] | null>(null) // of the candidate that is pointed at
  plan = $state<Plan>({
    name: 'oneshot',
    data: 'digits',
    optimiser: 'sgd',
    loss: 'cross entropy',
    epochs: 10,
    batch: 64,
    trials: 200,
    seed: 0,
    search: true,
  })
  problem = $state<string | null>(null)
  beginning = $state(false)
  private past: Template[] = []
  private future: Template[] = []
  private steps = $state(0)
  private request: AbortController | null = null
  private timer: ReturnType<typeof setTimeout> | undefined

  canUndo = $derived(this.steps >= 0 && this.past.length > 0)
  canRedo = $derived(this.steps >= 0 && this.future.length > 0)
  block = $derived(this.selected && (this.template.layers[this.selected.layer]?.blocks[this.selected.block] ?? null))
  /** Blocks that have a choice, in the order of the bits of a mask. */
  open = $derived(
    this.template.layers.flatMap((layer, k) =>
      layer.blocks.length > 1 ? layer.blocks.map((_, b) => ({ layer: k, block: b })) : [],
    ),
  )
  data = $derived(this.choices?.data.find((each) => each.name === this.plan.data) ?? null)

  async start(): Promise<void> {
    if (this.choices) return
    try {
      this.choices = await get<Choices>('oneshot/presets')
      if (!this.template.layers.length) await this.preset(FIRST)
    } catch (error) {
      this.problem = (error as Error).message
    }
  }

  async preset(name: string): Promise<void> {
    try {
      this.load(await get<Template>(`oneshot/presets/${name}`, { data: this.plan.data }))
    } catch (error) {
      toasts.error(error)
    }
  }

  load(template: Template): void {
    this.selected = null
    this.change(template)
  }

  /** Takes a new version; undo goes back to the one before. */
  change(template: Template, selected: At | null = this.selected): void {
    if (template === this.template) return
    this.past = [...this.past.slice(1 - MOST_STEPS), this.template]
    this.future = []
    this.take(template, selected)
  }

  undo(): void {
    const before = this.past.pop()
    if (!before) return
    this.future.push(this.template)
    this.take(before, null)
  }

  redo(): void {
    const after = this.future.pop()
    if (!after) return
    this.past.push(this.template)
    this.take(after, null)
  }

  private take(template: Template, selected: At | null): void {
    this.template = template
    this.selected = selected
    this.sample = null
    this.mask = null
    this.steps++
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.check(), PAUSE_MS)
  }

  async check(): Promise<void> {
    this.request?.abort()
    const request = new AbortController()
    this.request = request
    this.checking = true
    try {
      const { template } = this
      const facts = template.layers.length
        ? await post<TemplateFacts>('oneshot/check', { template }, request.signal)
        : { layers: [], output: template.input, errors: [], size: '', flops: [], params: [] }
      if (template === this.template) this.facts = facts
      this.checking = false
    } catch (error) {
      if (aborted(error)) return
      this.checking = false
      toasts.error(error)
    }
  }

  // ---- edits -------------------------------------------------------------------------------------------------

  add(ops: Op[], where: Where, at: At | null = this.selected): void {
    const [template, place] = added(this.template, ops, where, at)
    this.change(template, place)
  }

  remove(at: At | null = this.selected): void {
    if (!at) return
    const [template, place] = removed(this.template, at)
    this.change(template, place)
  }

  move(to: number, at: At | null = this.selected): void {
    if (!at || to < 0) return
    const [template, place] = moved(this.template, at, to)
    this.change(template, place)
  }

  copy(): void {
    if (!this.selected) return
    const [template, place] = copied(this.template, this.selected)
    this.change(template, place)
  }

  setOp(number: number, name: string, value: unknown): void {
    if (!this.selected) return
    this.change(
      withBlock(this.template, this.selected, (block) => {
        if (value === undefined) delete block.ops[number][name]
        else block.ops[number][name] = value
      }),
    )
  }

  setOps(ops: Op[]): void {
    if (this.selected && ops.length) this.change(withBlock(this.template, this.selected, (block) => (block.ops = ops)))
  }

  rename(name: string): void {
    if (this.selected) this.change(withBlock(this.template, this.selected, (block) => (block.name = name)))
  }

  renameLayer(layer: number, name: string): void {
    const layers = this.template.layers.map((each, k) => (k === layer ? { ...each, name } : each))
    this.change({ ...this.template, layers })
  }

  setData(name: string): void {
    this.plan.data = name
    if (this.data) this.change({ ...this.template, input: this.data.shape })
  }

  facts_of(op: string): OperationFacts | undefined {
    return this.choices?.palette.find((each) => each.op === op)
  }

  /** Channels of what stands beside a place: what a new block has to give. */
  channels(): number {
    const own = this.selected && this.facts?.layers[this.selected.layer]?.blocks[this.selected.block]?.leaving
    return own?.[0] ?? this.facts?.output[0] ?? 16
  }

  /** Masks at random, before any is evaluated. */
  async draw(): Promise<void> {
    try {
      this.sample = await post<Sampled>('oneshot/sample', { template: this.template })
    } catch (error) {
      toasts.error(error)
    }
  }

  /** Writes the study and starts it; the page then shows it. */
  async begin(): Promise<void> {
    this.beginning = true
    try {
      await post('oneshot/create', { ...this.plan, template: this.template })
    } catch (error) {
      toasts.error(error)
    }
    this.beginning = false
  }
}

export const draft = new Draft()
