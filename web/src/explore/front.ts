export interface CostAndScore {
  x: number // less is better
  y: number // more is better
}

/** Those that no other one beats in both, by rising cost. */
export function front<T extends CostAndScore>(points: T[]): T[] {
  const kept: T[] = []
  for (const point of [...points].sort((a, b) => a.x - b.x || b.y - a.y)) {
    if (!kept.length || point.y > kept[kept.length - 1].y) kept.push(point)
  }
  return kept
}
