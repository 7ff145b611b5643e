import { expect, test } from 'vitest'
import type { SpaceFacts } from '../lib/api'
import { front } from './front'
import { shortOption, withOption } from './genes'
import { betweenRule, ridge, tierRule } from './tiers'

test('one changed choice in the text of an architecture; unused choices stay unused', () => {
  const space: SpaceFacts = {
    name: 'mine',
    size: '8',
    choices: ['a', 'b', 'c'].map((path) => ({ path, options: ['none', 'conv', 'pool'] })),
  }
  expect(withOption(space, ['none', null, 'pool'], 0, 'conv')).toBe('mine/1-_-2')
  expect(withOption(space, ['none', 'conv', 'pool'], 2, 'none')).toBe('mine/0-1-0')
})

test('short names of options', () => {
  expect(['nor_conv_3x3', 'skip_connect', 'conv3x3-bn-relu', '16'].map(shortOption)).toEqual([
    'conv 3x3',
    'skip',
    'conv3x3',
    '16',
  ])
})

test('tiers and ranges are rules', () => {
  expect(tierRule(0, null)).toBe('tier == 1')
  expect(tierRule(0, [91, 90, 89, 80])).toBe('predicted >= 91')
  expect(tierRule(2, [91, 90, 89, 80])).toBe('predicted >= 89 and predicted < 90')
  expect(tierRule(4, [91, 90, 89, 80])).toBe('predicted < 80')
  expect(betweenRule('params', 1234567.8, 2e6)).toBe('params >= 1234570 and params <= 2000000')
  expect(betweenRule('latency@gpu', 1, 2)).toBe(null)
})

test('the front holds what no other one beats in both', () => {
  const points = [
    { x: 1, y: 1 },
    { x: 2, y: 3 },
    { x: 3, y: 2 },
    { x: 4, y: 4 },
    { x: 2, y: 2.5 },
    { x: 1, y: 0 },
  ]
  expect(front(points)).toEqual([
    { x: 1, y: 1 },
    { x: 2, y: 3 },
    { x: 4, y: 4 },
  ])
})

test('few values are bars, one each; many are one smooth ridge', () => {
  const x = (v: number) => v * 10
  expect(ridge([1, 2, 3], [0.5, 0, 0.5], x, (d) => d * 20, 30).fill).toBe('M8,30V20.0h4V30M28,30V20.0h4V30')
  const grid = Array.from({ length: 96 }, (_, i) => i)
  const smooth = ridge(
    grid,
    grid.map(() => 1),
    x,
    (d) => d * 20,
    30,
  )
  expect(smooth.fill.match(/M/g)).toHaveLength(1)
  expect(smooth.outline.startsWith('M0,10')).toBe(true)
})
