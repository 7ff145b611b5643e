// Architectures as text: "space/3-0-_-2", the position of the option of each choice; _ where a choice is not active.
import type { SpaceFacts } from '../lib/api'

/** The text of an architecture in which one choice has another option. */
export function withOption(space: SpaceFacts, genes: (string | null)[], choice: number, option: string): string {
  const changed = genes.map((gene, i) => (i === choice ? option : gene))
  const positions = changed.map((gene, i) => (gene === null ? '_' : space.choices[i].options.indexOf(gene)))
  return `${space.name}/${positions.join('-')}`
}

/** How options of spaces are called in short, as drawings have it. */
export function shortOption(option: string): string {
  return option.replace(/^nor_|[-_]bn[-_]relu$|_connect$/g, '').replaceAll('_', ' ')
}
