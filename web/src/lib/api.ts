// What the server of `tierwise serve` answers, prefix /api/v1. Names are those of Python; numbers are worked out there.

export type Row = number // of the population: the architectures on the map, 0 .. meta.population.rows - 1

export interface Meta {
  version: string
  study: StudyFacts | null // null: no study is open, the template editor is shown
  space: SpaceFacts | null
  population: Population | null
  columns: Column[]
  truth: boolean // whether columns of the table that the search has not seen are shown (serve --truth-columns)
  read_only: boolean
}
export interface StudyFacts {
  name: string // of the file, without its folder
  objective: string
  label: string // how the objective is called, such as "validation accuracy"
  percent: boolean // whether labels read as percentages
  strategy: string
  seed: number
  limits: Record<string, [number | null, number | null]>
  against: string[]
  command: string // the line that goes on with this search, "" where there is none
  oneshot: boolean // a supernet of a template is searched: see oneshot.ts
}
export interface SpaceFacts {
  name: string
  size: string // exact, in decimal digits
  choices: { path: string; options: string[] }[]
}
export interface Population {
  rows: number
  whole: boolean // every architecture of the space, or a sample of it (and all that were evaluated)
  genes: string // hash of GET /genes.bin: int16 rows x choices, -1 where a choice is not active
}
export interface Column {
  name: string
  label: string
  unit: string // "" without
  kind: 'position' | 'cost' | 'result' | 'predicted' | 'truth'
  dtype: 'uint16' | 'uint8' | 'float32' | 'float64' // of GET /columns/{name}.bin?hash=, little endian, one value a row
  low: number | null // least and greatest finite value; of positions the values that 0 and 65535 stand for
  high: number | null
  known: number // rows with a finite value (uint8: other than 255)
  better: 'high' | 'low' | null
  hash: string // changes with the values
}
// columns that are always there: map_x, map_y (position, uint16), result (float32, NaN where not evaluated),
// predicted, sd (float32, NaN until ten results), tier (uint8, 0 best, 255 unknown). Costs by name: params, flops, latency ...

export interface Trial {
  id: number // from 1
  row: Row
  text: string // the architecture, as it may be typed
  state: 'proposed' | 'running' | 'done' | 'failed' | 'withdrawn' // waiting ones are proposed until they are started
  budget: number // 0: a full evaluation
  metrics: Record<string, number>
  error: string | null // the whole text; its last line says what happened
  why: Record<string, unknown>
  reason: string // why, in words
  asked: number // seconds since the epoch
  started: number | null
  ended: number | null
  told: number | null // the how-manieth result
}
export interface State {
  driving: boolean // whether some process is searching now
  can_start: boolean // whether POST /run/start may start one
  paused: boolean
  stopped: boolean
  finished: number
  running: number
  proposed: number
  failed: number
  total: number | null // evaluations aimed at, null where nobody has said
  best: { trial: number; row: Row; value: number; gain: number | null; after: number } | null // gain: above the best before it; after: results since
  rate: number | null // evaluations an hour, over the latest
  seconds_left: number | null
  seconds: number // spent on evaluations, as recorded
  predictor: { name: string; labels: number; tau: number | null; low: number | null; high: number | null } | null // tau: of predictions made before the result was known; interval of the bootstrap
  rev: number // steering rows
  population: Population | null // a sample grows with what is evaluated: rows and the hash of genes then change
  error: string | null // why the study file can not be read any more
}
export interface Curve { // GET /curve
  finished: number[]; best: number[] // best so far after so many results
  random: { finished: number[]; mean: number[]; low: number[]; high: number[] } | null // a random search of the same table, 10-90 %; null where there is no table
  training: { step: number; [metric: string]: number }[] // of a supernet; empty without
  agreement: { finished: number; tau: number }[] // predictions made before the results against the results
}

// ---- selections ------------------------------------------------------------------------------------------
// Exactly one of rule, mask, polygon; or all (none given). mask: base64 of a bit mask, little endian in a byte.
export interface Selection {
  rule?: string
  mask?: string
  polygon?: { x: string; y: string; points: [number, number][]; log?: [boolean, boolean] } // in values of these columns (positions: 0..65535); log: edges are straight between logarithms
}
export interface SelectionFacts { // POST /select
  count: number; of: number
  mask: string // base64
  evaluated: number
  best: { row: Row; trial: number; value: number } | null
  median: number | null // of the results in it
  tiers: number[] // five counts, best first
  rules: Rule[]
  shared: OptionShare[] // options that all of them have (the intersection)
  lifted: OptionShare[] // those far more common than in the whole population, most first
  absent: OptionShare[] // options that none of them has (the complement of the union)
  medoids: Row[] // up to 5 that stand for it
}
export interface Rule { text: string; purity: number; coverage: number; matches: number }
export interface OptionShare { path: string; option: string; share: number; everywhere: number }

export interface TierFacts { // POST /tiers {selection, edges?: number[4]} edges of predicted, best first
  edges: number[]
  columns: { name: string; label: string; unit: string; grid: number[]; density: (number[] | null)[]; quartiles: ([number, number, number] | null)[] }[] // one of five, best first
  counts: number[]
}
export interface Effects { // POST /effects {selection, of: 'result' | 'predicted'}
  n: number
  choices: string[]
  options: (string | null)[][] // per choice
  fitness: (number | null)[][] // mean rank, 0..1, of those that have the option; null where nobody has
  effect: (number | null)[][]
  low: (number | null)[][]
  high: (number | null)[][]
  count: number[][]
  thin: boolean[][]
  status: ('' | 'locked' | 'banned' | 'preferred' | 'avoided')[][]
}

// ---- one architecture ------------------------------------------------------------------------------------
export interface Arch { // GET /archs?row= | ?text= (of any architecture of the space, on the map or not)
  row: Row | null
  text: string
  genes: (string | null)[] // the option of each choice
  svg: string // self-contained, drawn by the server
  values: Record<string, number | null> // by column
  percentile: number | null // of the predicted score in the population, 100 best
  trial: number | null
  allowed: string[] // empty, or why it can not be proposed now: "evaluated", "banned by row 3", "limit params"
}
export interface Explanation { rows: { name: string; value: string; effect: number }[]; base: number; score: number } // GET /archs/explain?row=
export interface Neighbours { rows: { row: Row | null; text: string; change: string; predicted: number | null; gain: number | null; result: number | null }[] } // GET /archs/neighbours?row=, best first
export interface Compared { // POST /compare {rows: Row[] (2..6)}: the first is what the others are compared with
  archs: Arch[]
  changes: { path: string; options: (string | null)[] }[] // choices in which not all agree
  distance: number[] // graph edit distance to the first
  deltas: Record<string, number | null>[] // by column: value minus that of the first
  svgs: string[] // aligned, with differences marked
}
export interface TablePage { total: number; rows: { row: Row; text: string; trial: number | null; values: (number | null)[] }[] }
// POST /rows {selection, evaluated: boolean, columns: string[], sort: string, descending: boolean, offset, limit (<= 200)}

// ---- steering ----------------------------------------------------------------------------------------------
export interface Edit { kind: string; [field: string]: unknown } // kinds and fields of tierwise.steering.FIELDS
export interface SteerRow {
  id: number; time: number; who: string; after: number; kind: string; what: Record<string, unknown>
  text: string // as it would be typed after `tierwise steer STUDY`
  state: 'in force' | 'taken back' | 'evaluated' | ''
  by: number | null // the row that took it back, or the trial that evaluated it
  left: string | null // architectures left once it was written, null where that was not counted
  best_before: number | null // best result before it, and best of those since
  best_since: number | null
}
export interface Steering {
  rev: number; rows: SteerRow[]; left: string; size: string; preferred: string | null; undo: number | null; redo: number | null
  audit: number // share of the proposals that come from what people exclude, 0: none
  regret: { row: number; audited: number; best_audited: number | null; best_allowed: number | null; regret: number | null }[] // of each row that excludes
}
export interface Preview { // POST /steering/preview (an Edit)
  text: string
  left: string; before: string // architectures that may still be proposed, decimal digits
  preferred: string | null // after it, where something is preferred
  top_lost: number; top: number // of the best 100 predicted
  evaluated_lost: number; evaluated: number
  best_lost: boolean // whether the best so far would be outside
  evidence: { n: number; effect: number | null; low: number | null; high: number | null; thin: boolean } | null
  conflict: { message: string; rows: number[] } | null // it can not be obeyed with these rows: the fewest
}
// POST /steering {base: rev, who, edit: Edit} -> 201 Steering; 409 {rev, steering} when somebody was faster; 422 {error, conflict}
// POST /steering/undo {base, who}, /steering/redo {base, who} -> the same answers

// ---- next batch --------------------------------------------------------------------------------------------
export interface Batch { // GET /batch
  wait: number | null // seconds that a proposal waits for a person before it is started, null: not at all
  size: number | null // how many trials wait at once, null where nobody has said so
  proposals: {
    trial: number; row: Row; text: string; svg: string; why: Record<string, unknown>; reason: string
    predicted: number | null; sd: number | null; tier: number | null; costs: Record<string, number | null>
    nearest: { trial: number; text: string; distance: number; value: number } | null
    state: 'proposed' | 'approved' | 'running'
    due: number | null // seconds since the epoch at which it is started without a word
  }[]
}
// decisions are steering rows: review {wait}, batch {size}, approve {trial}, veto {trial, reason}; evaluate {architecture}

// ---- events: GET /events (server-sent, resumes with Last-Event-ID) ------------------------------------------
export type Event =
  | { type: 'trials'; data: Trial[] } // new or changed ones, several at once
  | { type: 'state'; data: State }
  | { type: 'steering'; data: Steering }
  | { type: 'columns'; data: Column[] } // those whose hash has changed, and new ones
  | { type: 'study'; data: { name: string } } // another study was opened: load /meta again

// POST /export {what: 'csv' | 'parquet', selection} -> the file: a mask does not fit into an address
// GET /meta, /state, /trials, /curve, /steering, /batch, /genes.bin?hash=, /columns/{name}.bin?hash=
// POST /run/start; GET /export?what=csv|parquet|script|log|html|svg (&row=, &rule=)
// Errors: {error: string (what, where, what is allowed, what to do), field: string | null}
