// Which point is near a place, and which is the next one in a direction.
import KDBush from 'kdbush'

export type Direction = 'left' | 'right' | 'up' | 'down'

export class Picker {
  private index: KDBush

  /** stretch: how much longer a share of the y axis is on the screen than one of the x axis. */
  constructor(
    private x: Float32Array,
    private y: Float32Array,
    private stretch: number,
  ) {
    this.index = new KDBush(x.length, 64, Float32Array)
    for (let i = 0; i < x.length; i++) this.index.add(x[i], y[i] * stretch)
    this.index.finish()
  }

  /** The row to pick within `reach` (a share of the x axis): the one of the least class, then the nearest. Null: none. */
  at(px: number, py: number, reach: number, classes: Uint8Array, shown: number): number | null {
    let found: number | null = null
    let nearest = Number.POSITIVE_INFINITY
    for (const row of this.index.within(px, py * this.stretch, reach)) {
      if (classes[row] > shown) continue
      const distance = Math.hypot(this.x[row] - px, (this.y[row] - py) * this.stretch)
      const better =
        found === null ||
        distance < nearest - reach / 3 ||
        (distance < nearest + reach / 3 && classes[row] < classes[found])
      if (better) {
        found = row
        nearest = distance
      }
    }
    return found
  }

  /** The nearest shown row within 45 degrees of a direction, or null. */
  next(from: number, direction: Direction, classes: Uint8Array, shown: number): number | null {
    const [dx, dy] = { left: [-1, 0], right: [1, 0], up: [0, 1], down: [0, -1] }[direction]
    const [x, y] = [this.x[from], this.y[from] * this.stretch]
    for (let reach = 0.01; reach < 4; reach *= 2) {
      let found: number | null = null
      let least = Number.POSITIVE_INFINITY
      for (const row of this.index.within(x, y, reach)) {
        const along = (this.x[row] - x) * dx + (this.y[row] * this.stretch - y) * dy
        const across = Math.abs((this.x[row] - x) * dy) + Math.abs((this.y[row] * this.stretch - y) * dx)
        if (along <= 0 || across > along || row === from || classes[row] > shown) continue
        const distance = along + across
        if (distance < least) {
          least = distance
          found = row
        }
      }
      if (found !== null) return found
    }
    return null
  }
}
