// What the server says of templates and one-shot studies, prefix /api/v1/oneshot. Everything is worked out there.

export type Shape = number[]

export interface Op {
  op: string
  [setting: string]: unknown
}
export interface Block {
  name: string
  ops: Op[]
}
export interface Layer {
  name: string
  blocks: Block[]
}
export interface Template {
  // as it stands in a file
  kind: 'template'
  name: string
  input: Shape
  layers: Layer[]
}

export interface Field {
  name: string
  kind: 'number' | 'fraction' | 'flag' | 'padding' // padding: "same" or a number
  default: number | boolean | string | null // null: the usual one, or none where it is needed
  needed: boolean
  least: number | null
  most: number | null
}
export interface OperationFacts {
  op: string
  group: string // convolution, pool, dense, norm, activation, merge, shape, other
  fields: Field[]
}
export interface DataFacts {
  name: string
  shape: Shape
  classes: number | null
  inputs: number
}
export interface Choices {
  // GET /presets
  presets: Record<string, string> // name -> what it is called
  palette: OperationFacts[]
  losses: string[]
  data: DataFacts[]
}
// GET /presets/{name}?data=&width= -> Template

export interface LinkError {
  layer: number | null // null: the file as a whole
  block: number | null
  op: number | null // null: the block as a whole gives another shape than the others of its layer
  message: string
  fits: string // what would fit, "" where nobody knows
}
export interface TemplateFacts {
  // POST /check {template}
  layers: { entering: Shape; blocks: { leaving: Shape | null; flops: number | null; params: number | null }[] }[]
  output: Shape
  errors: LinkError[]
  size: string // masks, decimal digits, "" with errors
  flops: number[] // least and most; empty with errors
  params: number[]
}
export interface Sampled {
  // POST /sample {template, count, seed}: the search space before any evaluation
  masks: number[][]
  x: number[]
  y: number[]
  params: number[]
}
export interface Plan {
  // POST /create, with the template: 201 {name}; then the event `study` tells of the new one
  name: string
  data: string
  optimiser: 'sgd' | 'adamw'
  loss: string
  epochs: number
  batch: number
  trials: number
  seed: number
  search: boolean // false: trains, then waits until somebody continues
}
export interface SharedState {
  // GET /state; POST /training {on}
  state: 'waiting' | 'running' | 'stopped' | 'done' // stopped: nobody drives the study
  epoch: number
  epochs: number
  curve: {
    step: number
    train_loss: number
    train_accuracy: number
    loss: number
    accuracy: number
    [name: string]: number
  }[]
  template: Template
  data: string
  agreement: { n: number; tau: number } | null // of accuracies on shared weights with those of networks trained in full
}
export interface Assembled {
  // POST /assemble {choose: 'best' | 'fitness' | text}
  text: string
  genes: number[]
  flops: number
  params: number
  wide: [number, number] // FLOPs and parameters of the whole template
}
export interface Training {
  // GET /trainings; POST /train {choose, epochs, seed, baseline: null | 'template' | 'random' | 'evaluated'} -> 202 {key}
  key: string
  architecture: string
  text: string
  what: 'chosen' | 'template' | 'random' | 'evaluated'
  shared: number | null // its accuracy on shared weights, where the search has evaluated it
  epochs: number
  seed: number
  state: 'running' | 'done' | 'stopped'
  curve: { step: number; accuracy: number; loss: number; train_loss: number }[]
  metrics: Record<string, number>
  files: string[] // GET /trainings/{key}/{file}
  error: string
}
