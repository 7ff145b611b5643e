/** How long until `due` (seconds since the epoch), as a clock that runs down: "12 s", "3:05", "2:04:00". */
export function untilText(due: number, now: number): string {
  const left = Math.max(0, Math.ceil(due - now))
  if (left < 60) return `${left} s`
  const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60]
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`
}

/** The share (0..1) of the wait that is over. */
export function elapsedShare(due: number, wait: number, now: number): number {
  if (wait <= 0) return 1
  return Math.min(1, Math.max(0, 1 - (due - now) / wait))
}

const two = (n: number): string => String(n).padStart(2, '0')
