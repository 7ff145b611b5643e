// What the map shows, derived from study and view: axes, classes of rows, marks.
import type { Trial } from '../lib/api'
import { columns } from '../lib/columns.svelte'
import { study } from '../lib/study.svelte'
import { view } from '../lib/view.svelte'
import { makeAxis } from './axis'
import { classify, classifyBy } from './classes'
import { defaultAxes, defaultColour } from './defaults'
import type { Mark, MarkKind } from './overlay'

class Picture {
  names = $derived.by((): [string, string] => {
    const [x, y] = defaultAxes(study.columns)
    const chosen = (name: string, other: string) => (study.column(name) ? name : other)
    return [chosen(view.x, x), chosen(view.y, y)]
  })
  colour = $derived(study.column(view.colour) ? view.colour : defaultColour(study.columns))
  colourColumn = $derived(study.column(this.colour))
  x = $derived(this.axis(this.names[0]))
  y = $derived(this.axis(this.names[1]))
  /** Results told so far, in their order; all of them unless the scrubber is somewhere. */
  told = $derived(view.time === null ? study.told : study.told.slice(0, view.time))
  classes = $derived.by(() => {
    const column = this.colourColumn
    const scores = column?.name === 'tier' && view.edges ? columns.get('predicted') : null
    if (scores && view.edges) return classifyBy(view.edges, scores, new Uint8Array(study.rows))
    const values = column && this.values(column.name)
    return column && values && classify(column, values, new Uint8Array(study.rows))
  })
  marks = $derived.by((): Mark[] => {
    const live = view.time === null
    const shown = live ? [...study.byRow.values()] : this.told.filter((t) => t.budget === 0)
    const marks = shown.flatMap((t): Mark[] => (kindOf(t) ? [{ row: t.row, kind: kindOf(t) as MarkKind }] : []))
    marks.push(...view.tray.map((row): Mark => ({ row, kind: 'tray' })))
    if (this.best !== null) marks.push({ row: this.best, kind: 'star' })
    return marks
  })
  best = $derived.by((): number | null => {
    if (view.time === null) return study.state?.best?.row ?? null
    const objective = study.meta?.study?.objective ?? ''
    const done = this.told.filter((t) => t.state === 'done' && t.budget === 0)
    return done.length ? done.reduce((a, b) => (b.metrics[objective] > a.metrics[objective] ? b : a)).row : null
  })

  /** Values of a column; of results, those that the scrubber has reached. */
  private values(name: string) {
    if (name !== 'result' || view.time === null) return columns.get(name)
    const all = columns.get(name)
    if (!all) return null
    const some = new Float32Array(all.length).fill(Number.NaN)
    for (const trial of this.told) some[trial.row] = all[trial.row]
    return some
  }

  private axis(name: string) {
    const column = study.column(name)
    const values = column && columns.get(name)
    return column && values ? makeAxis(column, values) : null
  }
}

function kindOf(trial: Trial): MarkKind | null {
  return ({ done: 'ring', failed: 'failed', proposed: 'diamond', running: 'running', withdrawn: null } as const)[
    trial.state
  ]
}

export const picture = new Picture()
