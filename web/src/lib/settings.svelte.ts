// What this browser remembers: theme, name, sizes of panes, axes, tabs. Never anything that belongs to the study.
const KEY = 'tierwise'

export interface Settings {
  theme: 'system' | 'light' | 'dark'
  who: string
  sizes: Record<string, number> // splitter -> share of the first part
  axes: Record<string, [string, string]> // study -> columns
  colour: string
  tabs: Record<string, string>
  onlyDifferences: boolean
}

const START: Settings = { theme: 'system', who: '', sizes: {}, axes: {}, colour: '', tabs: {}, onlyDifferences: false }

function remembered(): Settings {
  try {
    return { ...START, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') }
  } catch {
    return { ...START } // no storage, or not ours
  }
}

export const settings: Settings = $state(remembered())

/** Starts to keep the settings and to follow the theme; call once, in a component. */
export function keep(): void {
  $effect(() => {
    const text = JSON.stringify(settings)
    try {
      localStorage.setItem(KEY, text)
    } catch {
      // private windows may refuse; the page works without
    }
  })
  $effect.pre(() => {
    // before what reads the tokens of the theme
    if (settings.theme === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = settings.theme
  })
}
