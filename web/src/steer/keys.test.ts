import { expect, test } from 'vitest'
import { actionOf, KEYS, keyText } from './keys'

const plain = { ctrlKey: false, metaKey: false, altKey: false, defaultPrevented: false }
const element = (matching: (selector: string) => boolean, inside = false) => ({
  matches: matching,
  closest: () => (inside ? ({} as Element) : null),
})
const textField = element((s) => s.includes('textarea') && s.includes('input:not'))
const button = element((s) => s.startsWith('button'))

test('every key of the list does what it says where nothing has the focus', () => {
  for (const [action, { key }] of Object.entries(KEYS)) expect(actionOf({ ...plain, key }, null)).toBe(action)
})

test('no two actions share a key', () => {
  const keys = Object.values(KEYS).map(({ key }) => key)
  expect(new Set(keys).size).toBe(keys.length)
})

test('undo and redo differ by shift alone', () => {
  expect(actionOf({ ...plain, key: 'z' }, null)).toBe('undo')
  expect(actionOf({ ...plain, key: 'Z' }, null)).toBe('redo')
})

test('keys of the browser and of text stay what they are', () => {
  expect(actionOf({ ...plain, key: 'b', ctrlKey: true }, null)).toBeNull()
  expect(actionOf({ ...plain, key: 'z', metaKey: true }, null)).toBeNull()
  expect(actionOf({ ...plain, key: 'b' }, textField)).toBeNull()
  expect(
    actionOf(
      { ...plain, key: 'b' },
      element(() => false, true),
    ),
  ).toBeNull()
  expect(actionOf({ ...plain, key: 'b', defaultPrevented: true }, null)).toBeNull()
  expect(actionOf({ ...plain, key: 'q' }, null)).toBeNull()
})

test('space presses the button that has the focus, letters go on from there', () => {
  expect(actionOf({ ...plain, key: ' ' }, button)).toBeNull()
  expect(actionOf({ ...plain, key: 'b' }, button)).toBe('ban')
})

test('keys are named as they are pressed', () => {
  expect([' ', 'Z', 'z', '?'].map(keyText)).toEqual(['space', 'shift z', 'z', '?'])
})
