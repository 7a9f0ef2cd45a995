import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { ObjectStore } from '../registry/object-store.ts'
import { fsObjectStore } from '../stores/fs-object-store.ts'
import { memoryObjectStore } from '../stores/memory-object-store.ts'
import { LOST_RUNS_PAGE } from './limits.ts'
import { dropLostRuns } from './lost-runs.ts'

async function folder(): Promise<ObjectStore> {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-runs-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return fsObjectStore(directory)
}

async function keysOf(records: ObjectStore): Promise<string[]> {
  const { items } = await records.list('', { limit: 10_000 })
  return items.map(({ key }) => key)
}

it('what the origin said in lost runs of the feed goes, and nothing else does', async () => {
  const records = await folder()
  const stay = ['tags/origin.9/team/app/@/latest', 'manifests/origin.9/team/app/@/sha256:aa', 'manifests/docker.io/library/app/@/sha256:aa']
  const go = [1, 2, 8].flatMap((run) => ['tags', 'manifests', 'links'].map((kind) => `${kind}/origin.${run}/team/app/@/x`))
  // Sorts before those of runs with fewer digits, and is of a later one.
  const later = 'links/origin.10/team/app/@/x'
  for (const key of [...stay, ...go, later]) await records.put(key, new Uint8Array(1))
  expect(await dropLostRuns(records, 9, new AbortController().signal)).toBe(go.length)
  expect(await keysOf(records)).toEqual([...stay, later].sort())
})

it('however many there are of this run, they are passed over, and the lost ones behind them are found', async () => {
  const records = memoryObjectStore()
  const current = Array.from({ length: LOST_RUNS_PAGE * 3 }, (_, n) => `tags/origin.10/team/app/@/v${n}`)
  for (const key of [...current, 'tags/origin.9/team/app/@/latest']) await records.put(key, new Uint8Array(1))
  let listed = 0
  const counted: ObjectStore = Object.assign(Object.create(records), {
    list: async (...args: Parameters<ObjectStore['list']>) => {
      const slice = await records.list(...args)
      listed += slice.items.length
      return slice
    },
    delete: (keys: readonly string[]) => records.delete(keys),
  })
  expect(await dropLostRuns(counted, 10, new AbortController().signal)).toBe(1)
  expect(listed).toBeLessThanOrEqual(LOST_RUNS_PAGE + 1)
  expect((await keysOf(records)).length).toBe(current.length)
})

it('ends when the edge does', async () => {
  await expect(dropLostRuns(await folder(), 2, AbortSignal.abort(new Error('the edge ends')))).rejects.toThrow('the edge ends')
})
