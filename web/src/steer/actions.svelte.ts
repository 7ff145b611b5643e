// What the keys do: they act on the option that was chosen last, or on the architecture, whichever came later.
import type { Arch } from '../lib/api'
import { get } from '../lib/client'
import { study } from '../lib/study.svelte'
import { toasts } from '../lib/toast.svelte'
import { view } from '../lib/view.svelte'
import { components } from './components.svelte'
import * as edits from './edits'
import type { Action } from './keys'
import { steer } from './steer.svelte'

const MAKE = { ban: edits.ban, lock: edits.lock, prefer: edits.prefer, avoid: edits.avoid }
const NOTHING = 'Choose an option (pane Components) or an architecture (map) first.'

export async function act(action: Exclude<Action, 'help'>): Promise<void> {
  if (action === 'filter') return document.querySelector<HTMLInputElement>('[data-filter]')?.focus()
  if (action === 'compare') return compare()
  if (study.readOnly) return toasts.say('This page only looks: it was opened with --read-only.')
  if (action === 'undo') return void (await steer.undo())
  if (action === 'redo') return void (await steer.redo())
  if (action === 'pause') return void (await steer.apply({ kind: study.state?.paused ? 'continue' : 'pause' }))
  try {
    if (action === 'evaluate') await evaluate()
    else await steerBy(action)
  } catch (error) {
    toasts.error(error)
  }
}

function compare(): void {
  if (view.row === null) toasts.say(NOTHING)
  else if (view.toggleTray(view.row)) view.show('inspect', 'compare')
  else toasts.say('The compare tray is full: take one out first.')
}

async function evaluate(): Promise<void> {
  if (view.row === null) return toasts.say(NOTHING)
  const arch = await get<Arch>('archs', { row: view.row })
  await steer.apply(edits.evaluate(arch.text))
}

async function steerBy(action: keyof typeof MAKE): Promise<void> {
  const { chosen } = components
  const at = document.activeElement
  if (chosen) {
    await steer.propose(
      `${action[0].toUpperCase()}${action.slice(1)} ${chosen.option} at ${chosen.choice}`,
      [MAKE[action](chosen)],
      at,
    )
  } else if (action === 'ban' && view.row !== null) {
    const arch = await get<Arch>('archs', { row: view.row })
    await steer.propose(`Ban this network`, [edits.banNetwork(arch.text)], at)
  } else toasts.say(NOTHING)
}
