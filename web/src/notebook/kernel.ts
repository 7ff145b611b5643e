// The kernel of the notebook that this frame is in.
import { Channel } from './channel'
import type { Frame } from './host'

export const { host } = window.frameElement as Frame
export const channel = new Channel(host)
