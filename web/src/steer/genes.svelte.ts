// Which option each architecture of the population has in each choice; loaded when an option is first pointed at (megabytes in large spaces).
import * as bits from '../lib/bits'
import { bytes } from '../lib/client'
import { study } from '../lib/study.svelte'
import type { OptionOfChoice } from './edits'

class Genes {
  #values = $state.raw<Int16Array | null>(null)
  #hash = ''

  /** Loads them, again where the population has changed. */
  async load(): Promise<void> {
    const hash = study.meta?.population?.genes
    if (!hash || hash === this.#hash) return
    this.#hash = hash
    try {
      const values = new Int16Array(await bytes('genes.bin', { hash }))
      if (this.#hash === hash) this.#values = values
    } catch {
      this.#hash = '' // the map shows no options for now; the next pane that asks tries again
    }
  }

  /** All that have the option, or null while nobody knows. */
  mask({ choice, option }: OptionOfChoice): bits.Bits | null {
    const values = this.#values
    const [i, j, n] = this.#place(choice, option)
    if (!values || i < 0) return null
    const mask = bits.empty(values.length / n)
    for (let at = i, row = 0; at < values.length; at += n, row++) if (values[at] === j) bits.add(mask, row)
    return mask
  }

  #place(choice: string, option: string): [number, number, number] {
    const choices = study.meta?.space?.choices ?? []
    const i = choices.findIndex((c) => c.path === choice)
    return [i, choices[i]?.options.indexOf(option) ?? -1, choices.length]
  }
}

export const genes = new Genes()
