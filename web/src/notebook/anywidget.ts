// The part of anywidget's front-end model (AFM) that is used here.
import type { ToKernel } from './host'

export interface AnyModel<Traits> {
  get<Name extends keyof Traits>(name: Name): Traits[Name]
  on(event: string, callback: (...given: never[]) => void): void
  off(event: string, callback: (...given: never[]) => void): void
  send(message: ToKernel): void
}
