// An architecture that is being changed in the inspector; nothing reaches the study before "evaluate next".
class Edited {
  text = $state<string | null>(null) // null: nothing is edited
  onDone = $state.raw<((text: string) => void) | null>(null) // what else happens when it is taken, such as a veto of the one it came from

  start(text: string, onDone: ((text: string) => void) | null = null): void {
    this.text = text
    this.onDone = onDone
  }

  stop(): void {
    this.text = null
    this.onDone = null
  }
}

export const edit = new Edited()
