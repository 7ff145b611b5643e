// Colours of values for pixels. Those of text, lines and tiers are tokens of theme.css; here they become numbers.
export type RGB = [number, number, number]

/** cividis in eleven steps (Nuñez, Anderton, Renslow, "Optimizing colormaps with consideration for color vision deficiency", 2018). */
const CIVIDIS = [
  '#00224e',
  '#0a326a',
  '#2b446e',
  '#4d566d',
  '#696970',
  '#7f7c75',
  '#948f78',
  '#ada476',
  '#caba6a',
  '#ead156',
  '#fdea45',
].map(hex)

export const TIERS = 5
export const UNKNOWN = 255 // class of rows without a value
export const STEPS = 250 // classes of a continuous scale: 0 .. STEPS - 1, the best first

/** Share 0..1 of the sequential scale, 0 being the end that stands out from the page. */
export function sequential(share: number, dark: boolean): RGB {
  const at = Math.min(1, Math.max(0, dark ? 1 - share : share)) * (CIVIDIS.length - 1)
  const i = Math.min(CIVIDIS.length - 2, Math.floor(at))
  return mix(CIVIDIS[i], CIVIDIS[i + 1], at - i)
}

export function mix(a: RGB, b: RGB, share: number): RGB {
  return [0, 1, 2].map((k) => Math.round(a[k] + (b[k] - a[k]) * share)) as RGB
}

export function hex(text: string): RGB {
  return [1, 3, 5].map((i) => Number.parseInt(text.slice(i, i + 2), 16)) as RGB
}

export function css([r, g, b]: RGB): string {
  return `rgb(${r} ${g} ${b})`
}

/** The value of a colour token of theme.css in the present theme. */
export function token(name: string): RGB {
  const probe = document.createElement('i')
  probe.style.color = `var(--${name})`
  document.body.append(probe)
  const parts = getComputedStyle(probe)
    .color.match(/[\d.]+/g)
    ?.map(Number) ?? [0, 0, 0]
  probe.remove()
  return parts.slice(0, 3) as RGB
}
