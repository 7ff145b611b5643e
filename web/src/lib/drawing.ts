// Drawings come from the server as SVG text. Only shapes and texts of it reach the page, and no style attribute.
const ELEMENTS = new Set([
  'svg',
  'g',
  'path',
  'rect',
  'circle',
  'ellipse',
  'line',
  'polyline',
  'polygon',
  'text',
  'tspan',
  'title',
  'desc',
  'defs',
  'marker',
  'pattern',
])
const REFERENCE = /^(?!url\(#)(?:.*\burl\(|\s*javascript:)/i

/** The drawing as an element, or null for text that is none. */
export function drawing(text: string): SVGSVGElement | null {
  const parsed = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement
  if (parsed.localName !== 'svg' || parsed.querySelector('parsererror')) return null
  for (const element of [parsed, ...parsed.querySelectorAll('*')]) {
    if (!ELEMENTS.has(element.localName)) element.remove()
    else clean(element)
  }
  return document.importNode(parsed, true) as unknown as SVGSVGElement
}

function clean(element: Element): void {
  for (const { name, value } of [...element.attributes]) {
    const plain = !/^on|^style$|href$|^xmlns:/i.test(name) && !REFERENCE.test(value)
    if (!plain) element.removeAttribute(name)
  }
}
