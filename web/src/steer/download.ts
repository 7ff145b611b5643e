import type { Selection } from '../lib/api'
import { address, answer } from '../lib/client'

/** Saves the table of a selection; a set may be too large for an address, so it is posted. */
export async function saveSelection(selection: Selection): Promise<void> {
  const body = JSON.stringify({ what: 'csv', selection })
  const headers = { 'Content-Type': 'application/json' }
  const table = await answer(address('export'), { method: 'POST', body, headers })
  save(await table.blob(), 'selection.csv')
}

/** Saves what is here already. */
export function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content)
  Object.assign(document.createElement('a'), { href: url, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
