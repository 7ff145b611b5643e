import { expect, test } from 'vitest'
import { UNKNOWN } from './classes'
import { Picker } from './pick'

const X = new Float32Array([0.5, 0.52, 0.9, 0.1, 0.5, 0.5])
const Y = new Float32Array([0.5, 0.5, 0.5, 0.5, 0.9, 0.1])
const CLASSES = new Uint8Array(6)

test('the point under the pointer is picked, and none in empty places', () => {
  const picker = new Picker(X, Y, 1)
  expect(picker.at(0.901, 0.499, 0.01, CLASSES, UNKNOWN)).toBe(2)
  expect(picker.at(0.7, 0.7, 0.05, CLASSES, UNKNOWN)).toBe(null)
})

test('of points that lie together the one on top is picked; hidden ones never', () => {
  const picker = new Picker(X, Y, 1)
  expect(picker.at(0.51, 0.5, 0.05, new Uint8Array([4, 0, 0, 0, 0, 0]), UNKNOWN)).toBe(1)
  expect(picker.at(0.51, 0.5, 0.05, new Uint8Array([0, 4, 0, 0, 0, 0]), UNKNOWN)).toBe(0)
  expect(picker.at(0.9, 0.5, 0.05, new Uint8Array([0, 0, 255, 0, 0, 0]), UNKNOWN)).toBe(null)
})

test('arrows go to the nearest point of that side', () => {
  const picker = new Picker(X, Y, 1)
  expect(picker.next(0, 'right', CLASSES, UNKNOWN)).toBe(1)
  expect(picker.next(1, 'right', CLASSES, UNKNOWN)).toBe(2)
  expect(picker.next(0, 'left', CLASSES, UNKNOWN)).toBe(3)
  expect(picker.next(0, 'up', CLASSES, UNKNOWN)).toBe(4)
  expect(picker.next(0, 'down', CLASSES, UNKNOWN)).toBe(5)
  expect(picker.next(2, 'right', CLASSES, UNKNOWN)).toBe(null)
})
