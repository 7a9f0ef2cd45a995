import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockFolder } from './folder-lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoll-lock-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('a folder is for one at a time, and free again once it was let go', async () => {
  const first = await lockFolder(folder, 'origin.lock')
  expect(first).toBeDefined()
  expect(await lockFolder(folder, 'origin.lock')).toBeUndefined()
  const other = await lockFolder(folder, 'edge.lock')
  expect(other).toBeDefined()
  first?.release()
  const second = await lockFolder(folder, 'origin.lock')
  expect(second).toBeDefined()
  second?.release()
  other?.release()
})

test('a process that was killed holds no folder', async () => {
  const module = new URL('./folder-lock.ts', import.meta.url).href
  const script = `const { lockFolder } = await import(${JSON.stringify(module)}); globalThis.lock = await lockFolder(${JSON.stringify(folder)}, 'origin.lock'); console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  expect(await lockFolder(folder, 'origin.lock')).toBeUndefined()
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  const lock = await lockFolder(folder, 'origin.lock')
  expect(lock).toBeDefined()
  lock?.release()
})
