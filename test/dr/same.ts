import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from '@libsql/client/sqlite3'
import { expect } from 'vitest'
import { Connection } from '../../schema/connection.ts'
import { type Key, readPage } from '../../schema/mirror/fill.ts'
import { MIRRORED } from '../../schema/mirror/treatment.ts'
import { wrongBlobs } from '../chaos/run/node-edge.ts'
import type { AtollProcess } from '../support/atoll.ts'
import { until } from '../support/until.ts'

/** Each site has them sealed by its own key. */
const SEALED_COLUMNS = ['sealed_secret', 'sealed_private', 'sealed_refresh_token', 'targets']

/** Waits until a standby has the very same rows as its primary, and the bytes that they name: none less, none more, none half. */
export async function expectSame(primary: AtollProcess, standby: AtollProcess): Promise<void> {
  const both = () => Promise.all([rowsOf(primary), rowsOf(standby)])
  await until('both have the same', async () => {
    const [here, there] = await both()
    return JSON.stringify(here) === JSON.stringify(there)
  }).catch(async () => {
    const [here, there] = await both()
    expect(there).toEqual(here)
  })
  const { blobs = [] } = await rowsOf(standby)
  const named = blobs.map((row) => /sha256:([0-9a-f]{64})/.exec(row)?.[1])
  expect(await files(join(storeOf(standby), 'blobs'))).toEqual(named.toSorted())
  expect((await files(join(storeOf(standby), 'drafts'))).filter((name) => name.startsWith('site-'))).toEqual([])
  for (const site of [primary, standby]) expect(await wrongBlobs(storeOf(site))).toEqual([])
}

const storeOf = (site: AtollProcess) => join(site.data, 'data', 'blobs')

async function rowsOf(site: AtollProcess): Promise<Record<string, readonly string[]>> {
  const client = createClient({ url: pathToFileURL(join(site.data, 'data', 'atoll.db')).href })
  try {
    const read = new Connection(client)
    const all: Record<string, readonly string[]> = {}
    for (const table of MIRRORED) {
      const unlike = [...table.quiet, ...SEALED_COLUMNS]
      const rows: string[] = []
      for (let after: Key | undefined, first = true; first || after !== undefined; first = false) {
        const page = await readPage({ read }, table, after)
        rows.push(...page.rows.map((row) => without(row, unlike)))
        after = page.next
      }
      all[table.name] = rows
    }
    return all
  } finally {
    client.close()
  }
}

function without(row: string, columns: readonly string[]): string {
  return JSON.stringify(Object.entries(JSON.parse(row) as object).filter(([column]) => !columns.includes(column)))
}

async function files(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return found
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .toSorted()
}
