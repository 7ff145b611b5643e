import { beforeEach, expect, test, vi } from 'vitest'
import type { Edit, Meta, Preview, Steering, SteerRow } from '../lib/api'
import { ApiError } from '../lib/client'
import { settings } from '../lib/settings.svelte'
import { study } from '../lib/study.svelte'
import { toasts } from '../lib/toast.svelte'
import { steer } from './steer.svelte'

const { post } = vi.hoisted(() => ({ post: vi.fn() }))
vi.mock('../lib/client', async (real) => ({ ...(await real<typeof import('../lib/client')>()), post }))

const row = (id: number, text: string, who = ''): SteerRow => ({
  id, time: 0, who, after: 0, kind: text.split(' ')[0], what: {}, text, state: 'in force', by: null,
  left: null, best_before: null, best_since: null,
}) // biome-ignore format: one row
const steering = (...rows: SteerRow[]): Steering => ({
  rev: rows.length, rows, left: '10', size: '12', preferred: null, undo: rows.at(-1)?.id ?? null, redo: null, audit: 0, regret: [],
}) // biome-ignore format: one row
const preview: Preview = {
  text: 'ban a x', left: '8', before: '10', preferred: null, top_lost: 1, top: 100, evaluated_lost: 2, evaluated: 20, best_lost: false,
  evidence: null, conflict: null,
} // biome-ignore format: one row
const ban: Edit = { kind: 'ban', choice: 'a', option: 'x' }
const first = steering(row(1, 'pin b y'))

beforeEach(() => {
  post.mockReset()
  steer.dismiss()
  toasts.messages = []
  settings.who = 'anna'
  study.meta = { space: null } as Meta // the study is open: events count
  study.steering = first
})

test('an edit is looked at, then written upon the rows that were looked at', async () => {
  post.mockResolvedValueOnce(preview).mockResolvedValueOnce(steering(...first.rows, row(2, 'ban a x', 'anna')))
  expect(await steer.apply(ban)).toBe(false)
  expect(post.mock.calls).toEqual([['steering/preview', ban]])
  expect(steer.asked?.preview).toEqual(preview)
  expect(await steer.confirm({ reason: 'never good' })).toBe(true)
  expect(post).toHaveBeenLastCalledWith('steering', { base: 1, who: 'anna', edit: { ...ban, reason: 'never good' } })
  expect(steer.asked).toBeNull()
  expect(study.steering?.rev).toBe(2)
  expect(toasts.messages[0]).toMatchObject({ text: 'Row 2: ban a x', action: { label: 'Undo' } })
})

test('where somebody was faster, their rows are shown and nothing is written without a second yes', async () => {
  const newer = steering(...first.rows, row(2, 'ban c z', 'ben'))
  post.mockResolvedValueOnce(preview)
  await steer.propose('Ban', [ban])
  post.mockRejectedValueOnce(new ApiError(409, 'outdated', null, { rev: 2, steering: newer }))
  post.mockResolvedValueOnce({ ...preview, left: '5' })
  expect(await steer.confirm()).toBe(false)
  expect(steer.asked).toMatchObject({ base: 2, newer: [{ text: 'ban c z', who: 'ben' }], preview: { left: '5' } })
  expect(study.steering).toBe(newer)
  post.mockResolvedValueOnce(steering(...newer.rows, row(3, 'ban a x', 'anna')))
  expect(await steer.confirm()).toBe(true)
  expect(post).toHaveBeenLastCalledWith('steering', { base: 2, who: 'anna', edit: ban })
})

test('an edit that needs no look asks as well when somebody was faster', async () => {
  const newer = steering(...first.rows, row(2, 'stop', 'ben'))
  post
    .mockRejectedValueOnce(new ApiError(409, 'outdated', null, { rev: 2, steering: newer }))
    .mockResolvedValueOnce(preview)
  expect(await steer.apply({ kind: 'approve', trial: 4 })).toBe(false)
  expect(steer.asked).toMatchObject({ edits: [{ kind: 'approve', trial: 4 }], newer: [{ text: 'stop' }] })
})

test('a conflict stays on the screen with its rows', async () => {
  post.mockResolvedValueOnce(preview)
  await steer.propose('Ban', [ban])
  const conflict = { message: 'nothing is left with row 1', rows: [1] }
  post.mockRejectedValueOnce(new ApiError(422, 'nothing is left', null, { error: 'nothing is left', conflict }))
  expect(await steer.confirm()).toBe(false)
  expect(steer.asked).toMatchObject({ problem: 'nothing is left', preview: { conflict } })
})

test('of several edits, those that are written do not wait any more', async () => {
  const edits: Edit[] = [1, 2, 3].map((n) => ({ kind: 'retract', row: n }))
  await steer.propose('Revert', edits)
  expect(post).not.toHaveBeenCalled() // there is no preview of several
  post.mockResolvedValueOnce(steering(...first.rows, row(2, 'retract 1')))
  post.mockRejectedValueOnce(new ApiError(0, 'The server does not answer'))
  expect(await steer.confirm()).toBe(false)
  expect(steer.asked).toMatchObject({ edits: edits.slice(1), base: 2, problem: 'The server does not answer' })
})

test('undo is refused when somebody wrote meanwhile, and says what', async () => {
  const newer = steering(...first.rows, row(2, 'ban c z', 'ben'))
  post.mockRejectedValueOnce(new ApiError(409, 'outdated', null, { rev: 2, steering: newer }))
  expect(await steer.undo()).toBe(false)
  expect(post).toHaveBeenLastCalledWith('steering/undo', { base: 1, who: 'anna' })
  expect(study.steering).toBe(newer)
  expect(toasts.messages[0]).toMatchObject({ kind: 'error', text: expect.stringContaining('ben wrote row 2') })
})
