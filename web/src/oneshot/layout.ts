// Where layers, cards and links of a template lie: layers from left to right, their blocks one below the other.
import type { Template } from '../lib/oneshot'

export const CARD = { width: 148, height: 62 }
export const GAP = { x: 92, y: 14 }
export const END = { width: 84, height: 40 } // input and classifier
export const HEAD = 30 // above the cards: the name of a layer

export interface Place {
  x: number
  y: number
}
export interface Link {
  from: [number, number] // layer and block; layer -1 is the input
  to: [number, number] // layer = number of layers: the classifier
  path: string
}
export interface Picture {
  width: number
  height: number
  cards: Place[][] // upper left corners
  columns: number[] // left edges of layers
  input: Place
  output: Place
  links: Link[]
}

const stack = (count: number) => count * CARD.height + (count - 1) * GAP.y

export function picture(template: Template): Picture {
  const { layers } = template
  const tallest = Math.max(END.height, ...layers.map((layer) => stack(layer.blocks.length)))
  const middle = HEAD + tallest / 2
  const columns = layers.map((_, k) => END.width + GAP.x + k * (CARD.width + GAP.x))
  const cards = layers.map((layer, k) =>
    layer.blocks.map((_, b) => ({
      x: columns[k],
      y: middle - stack(layer.blocks.length) / 2 + b * (CARD.height + GAP.y),
    })),
  )
  const end = END.width + GAP.x + layers.length * (CARD.width + GAP.x)
  const input = { x: 0, y: middle - END.height / 2 }
  const output = { x: end, y: middle - END.height / 2 }
  const links: Link[] = []
  for (let k = 0; k <= layers.length; k++) {
    const left = k === 0 ? [input] : cards[k - 1]
    const right = k === layers.length ? [output] : cards[k]
    left.forEach((a, i) => {
      right.forEach((b, j) => {
        links.push({
          from: [k - 1, i],
          to: [k, j],
          path: spline(leaving(a, k === 0), entering(b, k === layers.length)),
        })
      })
    })
  }
  return { width: end + END.width, height: HEAD + tallest, cards, columns, input, output, links }
}

function leaving(place: Place, isEnd: boolean): Place {
  const size = isEnd ? END : CARD
  return { x: place.x + size.width, y: place.y + size.height / 2 }
}

function entering(place: Place, isEnd: boolean): Place {
  return { x: place.x, y: place.y + (isEnd ? END : CARD).height / 2 }
}

function spline(a: Place, b: Place): string {
  const bend = (b.x - a.x) / 2
  return `M${a.x} ${a.y}C${a.x + bend} ${a.y} ${b.x - bend} ${b.y} ${b.x} ${b.y}`
}

export interface Camera {
  zoom: number
  x: number
  y: number
}
export const ZOOM = { least: 0.08, most: 2.5 }

/** Zooms by a factor so that the point (x, y) of the pane stays where it is. */
export function zoomed(camera: Camera, factor: number, x: number, y: number): Camera {
  const zoom = Math.min(ZOOM.most, Math.max(ZOOM.least, camera.zoom * factor))
  const scale = zoom / camera.zoom
  return { zoom, x: x - (x - camera.x) * scale, y: y - (y - camera.y) * scale }
}

/** Shows all of a picture in a pane of this size; never larger than life. */
export function fitted(size: { width: number; height: number }, width: number, height: number, margin = 24): Camera {
  const room = { x: Math.max(width - 2 * margin, 1), y: Math.max(height - 2 * margin, 1) }
  const zoom = Math.max(ZOOM.least, Math.min(1, room.x / size.width, room.y / size.height))
  return { zoom, x: (width - size.width * zoom) / 2, y: (height - size.height * zoom) / 2 }
}

/** `16×8×8` */
export const shown = (shape: number[] | null): string => (shape ? shape.join('×') : '?')
