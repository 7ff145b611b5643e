// What the notebook gives to the frame in its cell, and the messages that go between the frame and the kernel.

export type ToKernel =
  | { kind: 'open' | 'close'; view: string }
  | { kind: 'ask'; id: string; method: string; target: string; body: string | null } // target: path and query
  | { kind: 'select'; mask: string | null } // as in Selection

export type FromKernel =
  | { kind: 'code'; view: string } // of the frame: script and style
  | { kind: 'answer'; id: string; status: number; headers: Record<string, string>; gzip: boolean } // and the body
  | { kind: 'events'; events: [string, string][] } // type and JSON of each

/** What Python shows: the mask of these rows, and the first of them. */
export interface Shown {
  mask: string
  rows: number[]
  times: number
}

export interface Host {
  view: 'all' | 'map' | 'architecture' | 'compare'
  send(message: ToKernel): void
  hear(callback: (message: FromKernel, buffers: DataView<ArrayBuffer>[]) => void): void
  shown(callback: (shown: Shown) => void): void // now, and whenever Python shows something
  theme(callback: (dark: boolean) => void): void // now, and whenever the notebook changes it
}

/** The frame's element carries its host. */
export type Frame = HTMLIFrameElement & { host: Host }
