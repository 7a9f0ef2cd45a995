import { createHash, randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../registry/clock.ts'
import { type CollectState, collectGarbage } from '../../registry/garbage/collect.ts'
import { CLAIM_OVER_MS, GRACE_MS } from '../../registry/garbage/limits.ts'
import { LocalRegistry } from '../../registry/local.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import { parseRepositoryName } from '../../registry/spec/names.ts'
import { garbageIndex } from '../../schema/garbage.ts'
import { metadataStore } from '../../schema/metadata-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { seed, temporaryDatabase } from '../../test/support/database.ts'
import { type S3Server, s3Program, startS3 } from '../../test/support/versitygw.ts'
import { createHasher } from '../hasher.ts'
import { s3ObjectStore } from '../s3-object-store.ts'
import { slicedBlobStore } from '../sliced-blob-store.ts'
import { BACKOFF_LIMIT_MS } from './limits.ts'

const BLOBS = 60
const KEPT = 10
const PUSHED_AGAIN = 8

const program = s3Program()
const bytesOf = (n: number) => new TextEncoder().encode(`blob ${n} ${'.'.repeat(n)}`)
const digestOf = (n: number): Digest => parseDigest(`sha256:${createHash('sha256').update(bytesOf(n)).digest('hex')}`)

/** The same numbers for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const SLOW_DOWN = () => new Response('<Error><Code>SlowDown</Code></Error>', { status: 503 })

/**
 * What stands before the real server and is in trouble while `trouble` says so: it refuses requests, does them and says that it did not, and of a
 * batch of deletions it does a part (asked for anew, since a batch is signed as a whole) and lists the others as errors.
 */
function front(server: S3Server, random: () => number) {
  const whole = s3ObjectStore(server)
  const counts = { refused: 0, unheard: 0, partly: 0, requests: 0, batches: [] as number[] }
  const state = { trouble: false }
  const through: typeof fetch = async (input, init = {}) => {
    const url = new URL(String(input))
    counts.requests++
    const keys =
      init.method === 'POST' && url.searchParams.has('delete')
        ? [...new TextDecoder().decode(init.body as Uint8Array).matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => key)
        : undefined
    if (keys !== undefined) counts.batches.push(keys.length)
    const chance = random()
    if (!state.trouble || chance < 0.4) return await fetch(input, init)
    if (keys !== undefined && chance < 0.7) {
      counts.partly++
      const failing = keys.filter(() => random() < 0.5)
      await whole.delete(keys.filter((key) => !failing.includes(key)))
      const codes = ['SlowDown', 'InternalError']
      return new Response(
        `<DeleteResult>${failing.map((key, n) => `<Error><Key>${key}</Key><Code>${codes[n % 2]}</Code><Message>x</Message></Error>`).join('')}</DeleteResult>`,
      )
    }
    if (chance < 0.85) {
      counts.refused++
      return SLOW_DOWN()
    }
    counts.unheard++
    await (await fetch(input, init)).body?.cancel()
    return SLOW_DOWN()
  }
  return { through, counts, state }
}

describe.skipIf(program === undefined)('a collection in an S3 store that says SlowDown', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3(program ?? '')
  })
  afterAll(() => server.close())

  it.each([1, 2])(
    'ends with exactly what is needed, whatever was refused, done in part or done unheard (seed %i)',
    async (from) => {
      const random = randomFrom(from)
      const clock = new TestClock()
      const time = { now: () => clock.now(), after: systemClock.after }
      await using held = await temporaryDatabase({ clock: time })
      await seed(held.db)
      const slow = front(server, random)
      const prefix = `run-${from}/`
      // Pauses are over at once; what waits longer than any of them is a deadline, and stays one.
      const waits: number[] = []
      const store = slicedBlobStore(
        s3ObjectStore({
          ...server,
          prefix,
          random,
          fetch: slow.through,
          clock: {
            ...systemClock,
            after: (ms, run) => {
              if (ms > BACKOFF_LIMIT_MS) return systemClock.after(ms, run)
              waits.push(ms)
              return systemClock.after(0, run)
            },
          },
        }),
      )
      const local = new LocalRegistry({
        blobs: store,
        metadata: metadataStore(held.db, GRACE_MS),
        clock: systemClock,
        createHasher,
        newId: randomUUID,
      })
      const repository = local.as('user:1').repository(parseRepositoryName('team/app'))
      const upload = async (n: number) => {
        const { id } = await repository.uploads.begin()
        await repository.uploads.append(id, new Blob([bytesOf(n)]).stream())
        await repository.uploads.finish(id, digestOf(n))
      }
      for (let n = 0; n < BLOBS; n++) await upload(n)
      clock.advance(GRACE_MS + 1)
      /** A push that goes on counts on these: they are needed, again and again. */
      const need = async () => {
        for (const n of [...Array(KEPT).keys(), ...again]) await repository.blobs.stat(digestOf(n))
      }
      const again = new Set<number>()
      await need()
      slow.state.trouble = true

      let state: CollectState | undefined
      let deleted = 0
      for (let runs = 1; ; runs++) {
        expect(runs).toBeLessThan(60)
        const ended = await collectGarbage({
          index: garbageIndex(held.db, GRACE_MS),
          blobs: store,
          clock: time,
          untagged: false,
          dryRun: false,
          strays: false,
          from: state,
          onProgress: async (next) => {
            state = next
          },
          onFailure: () => {},
          signal: new AbortController().signal,
        }).catch(() => undefined)
        // Somebody pushes again what was collected, between two tries.
        for (let n = KEPT; n < KEPT + PUSHED_AGAIN; n++) {
          if (again.has(n)) continue
          await upload(n).then(
            () => again.add(n),
            () => undefined,
          )
        }
        await need()
        clock.advance(CLAIM_OVER_MS + 1)
        if (ended === undefined) continue
        deleted += ended.blobs
        state = undefined
        const [{ left } = { left: 0 }] = await held.db.read.sql.all<{ left: number }>(
          'SELECT count(*) AS left FROM blobs WHERE claimed_at IS NOT NULL',
        )
        if (ended.failed === 0 && left === 0 && again.size === PUSHED_AGAIN) break
      }

      slow.state.trouble = false
      const expected = [...Array(KEPT + PUSHED_AGAIN).keys()].map(digestOf).sort()
      expect((await store.list({ limit: BLOBS })).items).toEqual(expected)
      for (let n = 0; n < KEPT + PUSHED_AGAIN; n++) {
        const body = await repository.blobs.open(digestOf(n))
        expect(new Uint8Array(await new Response(body?.stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer())).toEqual(bytesOf(n))
      }
      // Drafts that failed pushes, and deletions that were broken off, have left are found and discarded, and then no other byte is there.
      for (const id of (await store.drafts({ limit: 1000 })).items) await store.draft(id).discard()
      const files = await readdir(join(server.directory, server.bucket, prefix), { recursive: true, withFileTypes: true })
      const slices = files.filter((each) => each.isFile() && each.parentPath.includes('/slices/'))
      expect(slices.length).toBe(KEPT + PUSHED_AGAIN)

      expect(deleted).toBeGreaterThanOrEqual(BLOBS - KEPT)
      expect(slow.counts.partly).toBeGreaterThan(0)
      expect(slow.counts.refused).toBeGreaterThan(0)
      expect(slow.counts.unheard).toBeGreaterThan(0)
      expect(Math.max(...slow.counts.batches)).toBeGreaterThan(1)
      expect(waits.some((ms) => ms > 0)).toBe(true)
    },
    120_000,
  )
})
