import { describe, expect, it } from 'vitest'
import type { Template } from '../lib/oneshot'
import { CARD, fitted, picture, zoomed } from './layout'
import { added, convBlock, copied, freeName, fromFile, moved, removed } from './template'

const block = (name: string) => ({ name, ops: convBlock(4) })
const template: Template = {
  kind: 'template',
  name: 't',
  input: [1, 8, 8],
  layers: [
    { name: 'layer1', blocks: [block('a'), block('b'), block('c')] },
    { name: 'layer2', blocks: [block('d')] },
    { name: 'layer3', blocks: [block('e'), block('f')] },
  ],
}
const names = (t: Template) => t.layers.map((layer) => layer.blocks.map((b) => b.name).join('')).join('|')

describe('edits', () => {
  it('put operations into a block, beside it, or behind its layer, and leave the old template alone', () => {
    expect(added(template, [{ op: 'relu' }], 'block', { layer: 0, block: 1 })[0].layers[0].blocks[1].ops).toHaveLength(
      4,
    )
    const [beside, at] = added(template, convBlock(4, 5), 'layer', { layer: 0, block: 1 })
    expect(names(beside)).toBe('abconv5c|d|ef')
    expect(at).toEqual({ layer: 0, block: 2 })
    const [behind] = added(template, [{ op: 'flatten' }], 'new', { layer: 1, block: 0 })
    expect(behind.layers.map((layer) => layer.name)).toEqual(['layer1', 'layer2', 'layer4', 'layer3'])
    expect(names(template)).toBe('abc|d|ef')
  })

  it('remove, move and copy', () => {
    expect(names(removed(template, { layer: 0, block: 1 })[0])).toBe('ac|d|ef')
    expect(names(removed(template, { layer: 1, block: 0 })[0])).toBe('abc|ef')
    expect(names(moved(template, { layer: 1, block: 0 }, 2)[0])).toBe('abc|efd')
    expect(names(moved(template, { layer: 0, block: 0 }, 3)[0])).toBe('bc|d|ef|a')
    expect(names(copied(template, { layer: 2, block: 0 })[0])).toBe('abc|d|ee-2f')
  })

  it('remove the last block of all', () => {
    const one = { ...template, layers: [template.layers[1]] }
    expect(removed(one, { layer: 0, block: 0 })).toEqual([{ ...one, layers: [] }, null])
  })

  it('give names that are free', () => {
    expect(freeName('conv 3/x', ['conv3x'])).toBe('conv3x-2')
    expect(freeName('äö', [])).toBe('block')
  })

  it('read files, and say what is wrong with others', () => {
    expect(fromFile(JSON.stringify(template))).toEqual(template)
    expect(() => fromFile('a = 1')).toThrow('no JSON')
    expect(() => fromFile('{"kind": "cell"}')).toThrow('no template')
  })
})

describe('layout', () => {
  it('wires every block to all of the next layer, from the input to the classifier', () => {
    expect(picture(template).links.map(({ from, to }) => `${from}>${to}`)).toHaveLength(3 + 3 * 1 + 1 * 2 + 2)
  })

  it('puts no card on another', () => {
    const places = picture(template).cards.flat()
    for (const [k, a] of places.entries())
      for (const b of places.slice(k + 1))
        expect(Math.abs(a.x - b.x) >= CARD.width || Math.abs(a.y - b.y) >= CARD.height).toBe(true)
  })

  it('zooms about a point, and shows all of it', () => {
    const before = { zoom: 0.5, x: 20, y: -10 }
    const after = zoomed(before, 1.7, 300, 200)
    expect((300 - after.x) / after.zoom).toBeCloseTo((300 - before.x) / before.zoom)
    expect((200 - after.y) / after.zoom).toBeCloseTo((200 - before.y) / before.zoom)
    const size = picture(template)
    const camera = fitted(size, 400, 300)
    expect(camera.x).toBeGreaterThanOrEqual(24 - 1e-9)
    expect(camera.x + size.width * camera.zoom).toBeLessThanOrEqual(400)
    expect(camera.y + size.height * camera.zoom).toBeLessThanOrEqual(300)
  })
})
