import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@libsql/client'
import { expect, test } from 'vitest'
import { temporaryDatabase } from '../test/support/database.ts'
import { until } from '../test/support/until.ts'
import { appendChange } from './changes.ts'
import { Checkpoints } from './checkpoints.ts'
import { CHECKPOINT_PAGES, CHECKPOINT_ROWS } from './limits.ts'

/** How many changes the file holds by itself, without the log beside it. */
async function carried(path: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'atoll-carried-'))
  try {
    await copyFile(path, join(folder, 'alone.db'))
    const alone = createClient({ url: `file:${join(folder, 'alone.db')}` })
    const { rows } = await alone.execute("SELECT count(*) AS found FROM sqlite_master WHERE name = 'changes'")
    const found = rows[0]?.found === 1 ? (await alone.execute('SELECT count(*) AS found FROM changes')).rows[0]?.found : 0
    alone.close()
    return Number(found)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

test('what was written is carried to the file while the database is open, long before the log is full', async () => {
  await using held = await temporaryDatabase()
  const path = held.url.slice('file:'.length)
  const change = (at: number) => appendChange(held.db, { actor: 'system', kind: 'tag.set', subject: `s${at}` })
  await Promise.all(Array.from({ length: 2 * CHECKPOINT_ROWS }, (_, at) => change(at)))
  await until('changes are in the file', async () => (await carried(path)) > 0)
  expect((await stat(`${path}-wal`)).size).toBeLessThan((CHECKPOINT_PAGES * 4096) / 4)
})

test('one that fails is told, and nothing else', async () => {
  const told: unknown[] = []
  const warn = (...said: unknown[]) => told.push(said)
  const folder = await mkdtemp(join(tmpdir(), 'atoll-checkpoints-'))
  try {
    const checkpoints = new Checkpoints(join(folder, 'no', 'such.db'), { warn, info: warn, error: warn, debug: warn })
    checkpoints.committed(CHECKPOINT_ROWS)
    await checkpoints.close()
    expect(told).toEqual([[{ err: expect.any(Error) }, expect.stringContaining('checkpoint')]])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
