// Whether the page is dark now, for what is drawn as pixels.
import { MediaQuery } from 'svelte/reactivity'
import { settings } from './settings.svelte'

const system = new MediaQuery('(prefers-color-scheme: dark)')

export const colourTheme = {
  get dark(): boolean {
    return settings.theme === 'system' ? system.current : settings.theme === 'dark'
  },
}
