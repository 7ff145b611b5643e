// Edits of a template, each a function of a template that gives a new one. What fits is said by the server.
import type { Block, Layer, Op, OperationFacts, Template } from '../lib/oneshot'

export interface At {
  layer: number
  block: number
}
export type Where = 'block' | 'layer' | 'new' // into a block, beside the blocks of a layer, as a new layer behind it

export const EMPTY: Template = { kind: 'template', name: 'template', input: [1, 8, 8], layers: [] }

/** The kind of a block, by what tells most about it: the group of its first operation that is no norm or activation. */
export function groupOf(block: Block, palette: OperationFacts[]): string {
  const groups = block.ops.map((op) => palette.find((each) => each.op === op.op)?.group ?? 'other')
  return groups.find((group) => group !== 'norm' && group !== 'activation') ?? groups[0] ?? 'other'
}

/** `conv 3×3, 16` */
export function opText(op: Op): string {
  const name = op.op.replaceAll('_', ' ')
  const kernel =
    'kernel' in op ? ` ${op.kernel}×${op.kernel}` : ['conv', 'separable', 'depthwise'].includes(op.op) ? ' 3×3' : ''
  const stride = typeof op.stride === 'number' && op.stride > 1 ? ` /${op.stride}` : ''
  const size = op.filters ?? op.units
  return `${name}${kernel}${stride}${size === undefined ? '' : `, ${size}`}`
}

/** An operation with the settings that it needs. channels: for those that ask how many leave it. */
export function newOp(facts: OperationFacts, channels: number): Op {
  const needed = facts.fields.filter((field) => field.needed)
  return { op: facts.op, ...Object.fromEntries(needed.map((field) => [field.name, channels])) }
}

/** A convolution with batch norm and rectifier. */
export function convBlock(channels: number, kernel = 3): Op[] {
  return [{ op: 'conv', filters: channels, kernel }, { op: 'batch_norm' }, { op: 'relu' }]
}

/** A name that no other has: `conv3`, else `conv3b`, ... */
export function freeName(wanted: string, taken: string[]): string {
  const plain = wanted.replace(/[^A-Za-z0-9_.-]+/g, '').slice(0, 60) || 'block'
  for (let k = 0; ; k++) {
    const name = k ? `${plain}-${k + 1}` : plain
    if (!taken.includes(name)) return name
  }
}

const named = (ops: Op[]) => ops[0].op + (ops[0].kernel ?? '')

export function added(template: Template, ops: Op[], where: Where, at: At | null): [Template, At] {
  const layers = structuredClone(template.layers)
  if (where === 'block' && at) {
    layers[at.layer].blocks[at.block].ops.push(...ops)
    return [{ ...template, layers }, at]
  }
  if (where === 'layer' && at) {
    const { blocks } = layers[at.layer]
    blocks.splice(at.block + 1, 0, {
      name: freeName(
        named(ops),
        blocks.map((b) => b.name),
      ),
      ops,
    })
    return [
      { ...template, layers },
      { layer: at.layer, block: at.block + 1 },
    ]
  }
  const place = at ? at.layer + 1 : layers.length
  layers.splice(place, 0, { name: layerName(layers), blocks: [{ name: freeName(named(ops), []), ops }] })
  return [
    { ...template, layers },
    { layer: place, block: 0 },
  ]
}

function layerName(layers: Layer[]): string {
  const taken = layers.map((layer) => layer.name)
  for (let k = layers.length + 1; ; k++) if (!taken.includes(`layer${k}`)) return `layer${k}`
}

/** Without a block; a layer that was this block alone goes with it. */
export function removed(template: Template, { layer, block }: At): [Template, At | null] {
  const layers = structuredClone(template.layers)
  layers[layer].blocks.splice(block, 1)
  if (!layers[layer].blocks.length) layers.splice(layer, 1)
  if (!layers.length) return [{ ...template, layers }, null]
  const at = Math.min(layer, layers.length - 1)
  return [
    { ...template, layers },
    { layer: at, block: Math.max(0, Math.min(block - 1, layers[at].blocks.length - 1)) },
  ]
}

/** A block taken to another layer, or (`to` one past the last) to a new one at the end. */
export function moved(template: Template, from: At, to: number): [Template, At] {
  if (from.layer === to) return [template, from]
  const layers = structuredClone(template.layers)
  const [block] = layers[from.layer].blocks.splice(from.block, 1)
  let target = to
  if (to >= layers.length) {
    layers.push({ name: layerName(layers), blocks: [] })
    target = layers.length - 1
  }
  const { blocks } = layers[target]
  blocks.push({
    ...block,
    name: freeName(
      block.name,
      blocks.map((b) => b.name),
    ),
  })
  if (!layers[from.layer].blocks.length) {
    layers.splice(from.layer, 1)
    if (from.layer < target) target--
  }
  return [
    { ...template, layers },
    { layer: target, block: layers[target].blocks.length - 1 },
  ]
}

export function copied(template: Template, { layer, block }: At): [Template, At] {
  const layers = structuredClone(template.layers)
  const { blocks } = layers[layer]
  const name = freeName(
    blocks[block].name,
    blocks.map((b) => b.name),
  )
  blocks.splice(block + 1, 0, { ...structuredClone(blocks[block]), name })
  return [
    { ...template, layers },
    { layer, block: block + 1 },
  ]
}

/** The template with something else in one block. */
export function withBlock(template: Template, { layer, block }: At, change: (block: Block) => void): Template {
  const layers = structuredClone(template.layers)
  change(layers[layer].blocks[block])
  return { ...template, layers }
}

/** Reads a file. Throws an Error that says what is wrong; the server checks the rest. */
export function fromFile(text: string): Template {
  let given: Partial<Template>
  try {
    given = JSON.parse(text)
  } catch (error) {
    throw new Error(
      `This is no JSON file: ${(error as Error).message}. A TOML file is opened by tierwise run --template FILE.`,
    )
  }
  if (given?.kind !== 'template' || !Array.isArray(given.layers) || !Array.isArray(given.input))
    throw new Error('This is no template: a file with kind "template", input and layers is needed.')
  const layers = given.layers.map((layer, k) => ({
    name: layer.name || `layer${k + 1}`,
    blocks: (layer.blocks ?? []).map((block, b) => ({ name: block.name || `block${b + 1}`, ops: block.ops ?? [] })),
  }))
  return { kind: 'template', name: given.name || 'template', input: given.input, layers }
}
