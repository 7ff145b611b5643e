// Selections that a person has given a name; kept in this browser, apart for each study.
import { study } from '../lib/study.svelte'

export interface NamedSet {
  name: string
  count: number
  mask: string // base64
}

class NamedSets {
  #saved = $state.raw<Record<string, NamedSet[]>>({})

  get all(): NamedSet[] {
    const key = storageKey()
    return this.#saved[key] ?? read(key)
  }

  /** Keeps a set; one of the same name is replaced. Raises where the browser has no room. */
  save(set: NamedSet): void {
    this.#write([...this.all.filter((s) => s.name !== set.name), set])
  }

  remove(name: string): void {
    this.#write(this.all.filter((s) => s.name !== name))
  }

  #write(sets: NamedSet[]): void {
    const key = storageKey()
    localStorage.setItem(key, JSON.stringify(sets))
    this.#saved = { ...this.#saved, [key]: sets }
  }
}

function storageKey(): string {
  return `tierwise.sets.${study.meta?.study?.name ?? ''}.${study.meta?.space?.name ?? ''}`
}

function read(key: string): NamedSet[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(key) ?? '[]')
    return Array.isArray(found) ? found : []
  } catch {
    return [] // not ours
  }
}

export const namedSets = new NamedSets()
