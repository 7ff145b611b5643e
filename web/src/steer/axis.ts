// The ends of an axis.

/** From the least to the greatest; around one value where all are equal, so that there is something to draw on. */
export function spread(least: number | undefined, most: number | undefined): [number, number] {
  const [low, high] = [least ?? 0, most ?? 1]
  const room = Math.abs(low) / 100 || 1
  return low < high ? [low, high] : [low - room, low + room]
}
