// Every edit of a search goes through here: it is looked at, written upon the rows that were looked at, and can be undone.
import type { Edit, Preview, Steering, SteerRow } from '../lib/api'
import { ApiError, post } from '../lib/client'
import { settings } from '../lib/settings.svelte'
import { study } from '../lib/study.svelte'
import { toasts } from '../lib/toast.svelte'
import { isLookedAt } from './edits'

/** Edits that wait for a yes, and all that is known of what they would do. */
export interface Asked {
  title: string
  edits: Edit[]
  anchor: DOMRect | null // where the person pointed
  base: number // the rows that the person has seen
  preview: Preview | null
  newer: SteerRow[] // written by others since the person began to look
  problem: string | null
}

class Steer {
  asked = $state.raw<Asked | null>(null)
  busy = $state(false)

  /** Shows what the edits would do; nothing is written before `confirm`. */
  async propose(title: string, edits: Edit[], at: Element | DOMRect | null = null): Promise<void> {
    const anchor = at && 'getBoundingClientRect' in at ? at.getBoundingClientRect() : at
    this.asked = { ...blank(title, edits), anchor }
    await this.look()
  }

  dismiss(): void {
    this.asked = null
  }

  /** Writes what was proposed. extra: fields that the person added: reason, share. */
  async confirm(extra: Partial<Edit> = {}): Promise<boolean> {
    const { asked } = this
    if (!asked) return false
    const done = await this.write(asked, extra)
    if (done) this.asked = null
    return done
  }

  /** Writes an edit that needs no look (pause, approve, evaluate ...); shows the others first. */
  async apply(edit: Edit, at: Element | null = null): Promise<boolean> {
    if (!isLookedAt(edit)) return this.write(blank(edit.kind, [edit]))
    await this.propose(edit.kind, [edit], at)
    return false
  }

  /** Takes back the latest row in force. */
  async undo(): Promise<boolean> {
    return this.callBack('undo')
  }

  /** Writes again what the latest undo took back. */
  async redo(): Promise<boolean> {
    return this.callBack('redo')
  }

  private async look(): Promise<void> {
    const { asked } = this
    if (asked?.edits.length !== 1) return
    const current = () => this.asked?.edits === asked.edits && this.asked.base === asked.base
    try {
      const preview = await post<Preview>('steering/preview', asked.edits[0])
      if (current()) this.asked = { ...asked, preview }
    } catch (error) {
      if (current()) this.asked = { ...asked, problem: (error as Error).message }
    }
  }

  /** One row after the other, each upon the rows before it; what is written does not wait any more. */
  private async write(asked: Asked, extra: Partial<Edit> = {}): Promise<boolean> {
    this.busy = true
    let { base, edits } = asked
    try {
      for (; edits.length; edits = edits.slice(1)) {
        const edit = { ...edits[0], ...extra }
        const steering = await post<Steering>('steering', { base, who: settings.who, edit })
        base = steering.rev
        this.heard(steering)
      }
      return true
    } catch (error) {
      await this.refused(error as Error, { ...asked, edits, base })
      return false
    } finally {
      this.busy = false
    }
  }

  private async refused(error: Error, asked: Asked): Promise<void> {
    const newer = outdated(error)
    if (newer) {
      study.hear({ type: 'steering', data: newer })
      const rows = newer.rows.filter((row) => row.id > asked.base)
      this.asked = { ...asked, base: newer.rev, newer: rows, preview: null, problem: null }
      await this.look()
    } else if (this.asked) {
      this.asked = { ...asked, problem: error.message, preview: conflicting(error, asked.preview) }
    } else {
      toasts.error(error)
    }
  }

  private heard(steering: Steering): void {
    study.hear({ type: 'steering', data: steering })
    const row = steering.rows.at(-1)
    const action = steering.undo === null ? undefined : { label: 'Undo', run: () => void this.undo() }
    if (row) toasts.say(`Row ${row.id}: ${row.text}`, { action })
  }

  private async callBack(what: 'undo' | 'redo'): Promise<boolean> {
    this.busy = true
    try {
      const body = { base: study.steering?.rev ?? 0, who: settings.who }
      const steering = await post<Steering>(`steering/${what}`, body)
      study.hear({ type: 'steering', data: steering })
      const row = steering.rows.at(-1)
      if (row) toasts.say(`${what === 'undo' ? 'Undone' : 'Redone'}, row ${row.id}: ${row.text}`)
      return true
    } catch (error) {
      const newer = outdated(error as Error)
      if (newer) study.hear({ type: 'steering', data: newer })
      const row = newer?.rows.at(-1)
      toasts.error(
        row ? `${row.who || 'Somebody'} wrote row ${row.id} meanwhile: ${row.text}. Look, then ${what} again.` : error,
      )
      return false
    } finally {
      this.busy = false
    }
  }
}

function blank(title: string, edits: Edit[]): Asked {
  return { title, edits, anchor: null, base: study.steering?.rev ?? 0, preview: null, newer: [], problem: null }
}

/** The newer steering, where the server refused because somebody was faster. */
function outdated(error: Error): Steering | null {
  const body = error instanceof ApiError && error.status === 409 ? (error.body as { steering?: Steering }) : null
  return body?.steering ?? null
}

/** The preview with the conflict for which the server refused. */
function conflicting(error: Error, preview: Preview | null): Preview | null {
  const body = error instanceof ApiError ? (error.body as { conflict?: Preview['conflict'] } | null) : null
  return preview && body?.conflict ? { ...preview, conflict: body.conflict } : preview
}

export const steer = new Steer()
