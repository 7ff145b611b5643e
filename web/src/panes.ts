// All panes and where they are. On narrow screens they become one row of tabs, in this order.
import type { Component } from 'svelte'
import Compare from './explore/Compare.svelte'
import Inspector from './explore/Inspector.svelte'
import Table from './explore/Table.svelte'
import Tiers from './explore/Tiers.svelte'
import { count } from './lib/format'
import { selection } from './lib/selection.svelte'
import { study } from './lib/study.svelte'
import { view } from './lib/view.svelte'
import MapPane from './map/MapPane.svelte'
import LazyFinish from './oneshot/LazyFinish.svelte'
import LazyTemplate from './oneshot/LazyTemplate.svelte'
import BatchPane from './steer/BatchPane.svelte'
import { batch } from './steer/batch.svelte'
import ComponentsPane from './steer/ComponentsPane.svelte'
import LogPane from './steer/LogPane.svelte'
import SearchPane from './steer/SearchPane.svelte'
import SelectionPane from './steer/SelectionPane.svelte'

export type Region = 'map' | 'inspect' | 'left' | 'middle' | 'right'

export interface PaneSpec {
  id: string // also in the address
  title: string
  region: Region
  content: Component
  count?: () => string | number | null | undefined // beside the title
  when?: () => boolean // whether it is there at all
}

export const PANES: PaneSpec[] = [
  { id: 'map', title: 'Map', region: 'map', content: MapPane },
  { id: 'table', title: 'Table', region: 'map', content: Table },
  {
    id: 'template',
    title: 'Template',
    region: 'map',
    content: LazyTemplate,
    when: () => study.meta?.study?.oneshot ?? false,
  },
  { id: 'inspector', title: 'Architecture', region: 'inspect', content: Inspector },
  { id: 'selection', title: 'Selection', region: 'inspect', content: SelectionPane, count: () => selectedCount() },
  { id: 'compare', title: 'Compare', region: 'inspect', content: Compare, count: () => view.tray.length },
  { id: 'tiers', title: 'Tiers', region: 'left', content: Tiers },
  { id: 'components', title: 'Components', region: 'middle', content: ComponentsPane },
  { id: 'search', title: 'Search', region: 'right', content: SearchPane },
  {
    id: 'oneshot',
    title: 'One-shot',
    region: 'right',
    content: LazyFinish,
    when: () => study.meta?.study?.oneshot ?? false,
  },
  { id: 'batch', title: 'Next batch', region: 'right', content: BatchPane, count: () => batch.value?.proposals.length },
  { id: 'log', title: 'Log', region: 'right', content: LogPane, count: () => study.steering?.rows.length },
]

export const selectedCount = () => (selection.facts ? count(selection.facts.count) : null)
