import { css, token } from '../lib/colours'
import type { Inks } from './overlay'

/** The colours of axes and marks in the present theme. */
export function inksOf(): Inks {
  const ink = (name: string) => css(token(name))
  return {
    ink: ink('ink'),
    soft: ink('soft'),
    line: ink('line'),
    card: ink('card'),
    select: ink('select'),
    accent: ink('accent'),
    best: ink('best'),
  }
}
