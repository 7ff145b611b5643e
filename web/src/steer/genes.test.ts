import { expect, test, vi } from 'vitest'
import type { Meta } from '../lib/api'
import * as bits from '../lib/bits'
import { study } from '../lib/study.svelte'
import { genes } from './genes.svelte'

vi.mock('../lib/client', async (real) => ({
  ...(await real<typeof import('../lib/client')>()),
  bytes: async () => new Int16Array([0, 1, 2, 0, 0, -1, 2, 1]).buffer, // four rows, two choices
}))

test('rows that have an option, and none where a choice is not active', async () => {
  const choices = [
    { path: 'op', options: ['none', 'conv', 'pool'] },
    { path: 'width', options: ['16', '32'] },
  ]
  study.meta = { space: { choices }, population: { genes: 'h' } } as Meta
  expect(genes.mask({ choice: 'op', option: 'pool' })).toBeNull()
  await genes.load()
  const rows = (choice: string, option: string) => {
    const mask = genes.mask({ choice, option }) as bits.Bits
    return [0, 1, 2, 3].filter((row) => bits.has(mask, row))
  }
  expect(rows('op', 'pool')).toEqual([1, 3])
  expect(rows('op', 'conv')).toEqual([])
  expect(rows('width', '32')).toEqual([0, 3])
  expect(genes.mask({ choice: 'depth', option: '1' })).toBeNull()
})
