import type { Attachment } from 'svelte/attachments'

/** Opens a dialog beside the place that a person pointed at; in the middle where there is none, or no room. */
export function besides(place: DOMRect | null): Attachment<HTMLDialogElement> {
  return (dialog) => {
    dialog.showModal()
    const { width, height } = dialog.getBoundingClientRect()
    if (!place || innerWidth < width + 200) return
    const left = Math.min(Math.max(8, place.left), innerWidth - width - 8)
    const below = place.bottom + 6
    const room = 120 // for what is still counted
    const top = below + height + room <= innerHeight ? below : Math.max(8, place.top - height - room - 6)
    dialog.style.margin = `${top}px 0 0 ${left}px`
  }
}
