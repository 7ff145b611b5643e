// What a key does on the page; the help overlay shows the same list.

export const KEYS = {
  filter: { key: '/', does: 'type a filter' },
  ban: { key: 'b', does: 'ban the option or the architecture that is chosen' },
  lock: { key: 'l', does: 'lock the option that is chosen' },
  prefer: { key: 'p', does: 'prefer the option that is chosen' },
  avoid: { key: 'a', does: 'avoid the option that is chosen' },
  compare: { key: 'c', does: 'put the chosen architecture into the compare tray' },
  evaluate: { key: 'e', does: 'evaluate the chosen architecture next' },
  undo: { key: 'z', does: 'undo the latest steering' },
  redo: { key: 'Z', does: 'redo what was undone' },
  pause: { key: ' ', does: 'pause the search, or go on' },
  help: { key: '?', does: 'show this list' },
} as const

export type Action = keyof typeof KEYS

const BY_KEY = new Map<string, Action>(Object.entries(KEYS).map(([action, { key }]) => [key, action as Action]))
/** Where a letter is text, and where space presses or scrolls what has the focus. */
const TYPED_INTO = 'input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable]'
const PRESSED = 'button, a, summary, input, [role=button], [role=tab], [role=menuitem], [role=option], [role=gridcell]'

export interface Key {
  key: string
  ctrlKey: boolean
  metaKey: boolean
  altKey: boolean
  defaultPrevented: boolean
}

export interface Focus {
  matches(selector: string): boolean
  closest(selector: string): unknown
}

/** Which action a key stands for, null where it belongs to the element that has the focus. */
export function actionOf(event: Key, focus: Focus | null): Action | null {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return null
  if (focus?.matches(TYPED_INTO) || focus?.closest('dialog, [popover]')) return null
  if (event.key === ' ' && focus?.matches(PRESSED)) return null
  return BY_KEY.get(event.key) ?? null
}

export function keyText(key: string): string {
  if (key === ' ') return 'space'
  return key !== key.toLowerCase() ? `shift ${key.toLowerCase()}` : key
}
