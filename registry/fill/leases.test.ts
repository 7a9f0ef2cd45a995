import { describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { digestOf, quiet, read, someBytes, TestSource } from '../../test/support/fill-source.ts'
import { fleetingBucket } from '../../test/support/fleeting-bucket.ts'
import { until } from '../../test/support/until.ts'
import { type BlobStore, NoRoom } from '../blob-store.ts'
import type { ObjectStore } from '../object-store.ts'
import { FillLeases, LEASE_LIMITS } from './leases.ts'
import { FillTable } from './table.ts'

const SIZE = 3_000_000
const bytes = someBytes(SIZE)
const digest = digestOf(bytes)

/** What a process has of its own, over the bucket that it shares. */
function processOver(objects: ObjectStore = memoryObjectStore(), owner: string = crypto.randomUUID()) {
  const clock = new TestClock()
  let ids = 0
  const name = crypto.randomUUID()
  const leases = new FillLeases({ objects, clock, log: quiet, newId: () => `${name}-${ids++}`, owner })
  const blobs = slicedBlobStore(objects)
  return { clock, leases, blobs, objects, table: new FillTable({ blobs, createHasher, clock, log: quiet, leases }) }
}

/** Lets time go by for a process until something has happened. */
async function whileItRuns<T>(clock: TestClock, promise: Promise<T>): Promise<T> {
  let over = false
  const ended = promise.finally(() => {
    over = true
  })
  ended.catch(() => undefined)
  while (!over) {
    clock.advance(LEASE_LIMITS.lookMs)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return await ended
}

const opened = async (table: FillTable, source: TestSource) => {
  const body = await table.open({ digest, source, confirmed: true })
  if (body === undefined) throw new Error('the blob should be there')
  return body.stream
}

describe('two processes on one bucket', () => {
  /** One fills as far as its source lets it, the other has handed out what there is. */
  async function follower(source: TestSource, objects?: ObjectStore) {
    const one = processOver(objects)
    const other = processOver(one.objects)
    const first = (await opened(one.table, source)).getReader()
    for (let got = 0; got < 1_400_000; ) got += (await first.read()).value?.length ?? 0
    const second = (await whileItRuns(other.clock, opened(other.table, source))).getReader()
    const given: Uint8Array<ArrayBuffer>[] = []
    for (let got = 0; got < 700_000; ) {
      const { value = new Uint8Array() } = await whileItRuns(other.clock, second.read())
      got += value.length
      given.push(new Uint8Array(value))
    }
    const rest = async () => {
      for (let next = await second.read(); !next.done; next = await second.read()) given.push(new Uint8Array(next.value))
      return digestOf(new Uint8Array(await new Blob(given).arrayBuffer()))
    }
    const end = async () => {
      while (!(await first.read()).done);
      await one.table.idle()
    }
    return { one, other, end, rest: () => whileItRuns(other.clock, rest()) }
  }

  /** A source that gives the rest when its gate is opened. */
  function gated() {
    const gate = Promise.withResolvers<void>()
    const source = new TestSource({
      bytes,
      before: async ({ sent }, chunk) => {
        if (sent >= 1_500_000) await gate.promise
        return chunk
      },
    })
    return { source, gate }
  }

  it('ask for a blob once: the second hands out what the first has stored, as it lands', async () => {
    const { source, gate } = gated()
    const { one, other, end, rest } = await follower(source)
    gate.resolve()
    await end()
    expect(await rest()).toBe(digest)
    await Promise.all([one.table.idle(), whileItRuns(other.clock, other.table.idle())])
    expect([source.asked.length, source.bytesSent]).toEqual([1, SIZE])
    one.clock.advance(LEASE_LIMITS.verifiedMs)
    const left = async () =>
      (await Promise.all(['leases/', 'verified/'].map((prefix) => one.objects.list(prefix, { limit: 10 })))).flatMap(({ items }) => items)
    await until('nothing is left of it', async () => (await left()).length === 0)
  })

  it('cut nobody off whose blob one has stored and deleted before the other looked', async () => {
    const { source, gate } = gated()
    const { one, end, rest } = await follower(source)
    gate.resolve()
    await end()
    expect(await one.blobs.delete(digest)).toBe(true)
    expect(await rest()).toBe(digest)
    expect(source.asked).toHaveLength(2)
  })

  it('cut nobody off when the bucket goes away: who follows reads on from the source', async () => {
    const { source, gate } = gated()
    const { bucket, goAway } = fleetingBucket()
    const { other, end, rest } = await follower(source, bucket)
    goAway()
    expect(await rest()).toBe(digest)
    expect(source.asked.at(-1)?.range?.offset).toBeGreaterThanOrEqual(700_000)
    await whileItRuns(other.clock, other.table.idle())
    gate.resolve()
    await end()
  })

  it('hand out no blob whose beginning was wrong when the bucket went away', async () => {
    const gate = Promise.withResolvers<void>()
    const source = new TestSource({
      bytes,
      before: async (asked, chunk) => {
        if (asked === source.asked[0] && asked.sent >= 1_500_000) await gate.promise
        return asked === source.asked[0] && asked.sent === 0 ? chunk.map((byte) => byte ^ 1) : chunk
      },
    })
    const { bucket, goAway } = fleetingBucket()
    const { end, rest } = await follower(source, bucket)
    goAway()
    await expect(rest()).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    gate.resolve()
    await end().catch(() => undefined)
  })

  it('never go on with other bytes than they began with: a source that lied has been asked again before the other looked', async () => {
    const gate = Promise.withResolvers<void>()
    const source = new TestSource({
      bytes,
      before: async (asked, chunk) => {
        if (asked.sent >= 1_500_000) await gate.promise
        return asked === source.asked[0] && asked.sent === 0 ? chunk.map((byte) => byte ^ 1) : chunk
      },
    })
    const { one, end, rest } = await follower(source)
    gate.resolve()
    await end().catch(() => undefined)
    await one.table.idle()
    expect(await one.blobs.stat(digest)).toEqual({ size: SIZE })
    await expect(rest()).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
  })

  it('do not wait for one that has no room to store it', async () => {
    const one = processOver()
    const other = processOver(one.objects)
    const narrow: BlobStore = slicedBlobStore(one.objects)
    const draft = narrow.draft.bind(narrow)
    narrow.draft = (id) => ({ ...draft(id), writer: () => Promise.reject(new NoRoom()) })
    const passing = new FillTable({ blobs: narrow, createHasher, clock: one.clock, log: quiet, leases: one.leases })
    const slow = (await opened(passing, new TestSource({ bytes }))).getReader()
    await slow.read()
    const source = new TestSource({ bytes })
    expect(digestOf(await whileItRuns(other.clock, read(await whileItRuns(other.clock, opened(other.table, source)))))).toBe(digest)
    await other.table.idle()
    expect(await other.blobs.stat(digest)).toEqual({ size: SIZE })
    await slow.cancel()
    await passing.close()
  })

  it('lose nothing when the one that fills is killed: the other takes over and asks for what is missing', async () => {
    const one = processOver()
    const other = processOver(one.objects)
    const killed = new TestSource({ bytes, before: ({ sent }, chunk) => (sent < 2_000_000 ? chunk : new Promise(() => {})) })
    const first = (await opened(one.table, killed)).getReader()
    for (let got = 0; got < 1_900_000; ) got += (await first.read()).value?.length ?? 0
    // From here on its clock stands still, and so does it.
    const source = new TestSource({ bytes })
    const stream = await whileItRuns(other.clock, opened(other.table, source))
    expect(digestOf(await whileItRuns(other.clock, read(stream)))).toBe(digest)
    await other.table.idle()
    expect(source.asked).toHaveLength(1)
    expect(source.asked[0]?.range?.offset).toBeGreaterThanOrEqual(1_792 * 1024)
    expect(await other.blobs.stat(digest)).toEqual({ size: SIZE })
  })

  it('keep the one that was only slow from ending a draft that another has taken over', async () => {
    const one = processOver()
    const writer = await one.blobs.draft('fill-a').writer({ offset: 0 })
    await writer.write(bytes.subarray(0, 300_000))
    await writer.close()
    const other = slicedBlobStore(one.objects)
    const next = await other.draft('fill-a').writer({ offset: 300_000 })
    await expect(one.blobs.draft('fill-a').commit(digest)).rejects.toMatchObject({ code: 'RANGE_INVALID' })
    await next.write(bytes.subarray(300_000))
    await next.close()
    await other.draft('fill-a').commit(digest)
    expect(digestOf(await read((await other.open(digest))?.stream ?? new ReadableStream()))).toBe(digest)
  })

  it('ask the source whether a repository has what another process is being given', async () => {
    const one = processOver()
    const other = processOver(one.objects)
    const source = new TestSource({ bytes, before: ({ sent }, chunk) => (sent < 1_000_000 ? chunk : new Promise(() => {})) })
    await opened(one.table, source)
    const stranger = Object.assign(Object.create(source), { repository: 'library/other', stat: async () => undefined })
    expect(await whileItRuns(other.clock, other.table.open({ digest, source: stranger, confirmed: false }))).toBeUndefined()
  })
})

describe('a lease', () => {
  it('is taken over by one of all who wait, and only when its holder shows no sign of life', async () => {
    const objects = memoryObjectStore()
    const clock = new TestClock()
    let ids = 0
    const opened = (owner: string) => new FillLeases({ objects, clock, log: quiet, newId: () => `process-${ids++}`, owner })
    const leases = opened('one')
    const other = opened('other')
    const held = await leases.take('a-blob')
    expect(held).toBeDefined()
    expect(await leases.take('a-blob')).toBeUndefined()
    const waiting = Array.from({ length: 5 }, () => other.waiting('a-blob'))
    for (let look = 0; look < LEASE_LIMITS.looks * 2; look++) {
      clock.advance(LEASE_LIMITS.renewMs)
      for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve))
      for (const one of waiting) expect(await one.look()).toBeUndefined()
    }
    // Its clock stands still now.
    const got = []
    for (let look = 0; look <= LEASE_LIMITS.looks; look++) got.push(...(await Promise.all(waiting.map((one) => one.look()))))
    expect(got.filter((lease) => lease !== undefined)).toHaveLength(1)
    clock.advance(LEASE_LIMITS.renewMs)
    for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(held?.lost.aborted).toBe(true)
  })

  it('of a process that was started again is its own after a few looks', async () => {
    const objects = memoryObjectStore()
    const opened = (owner: string) => new FillLeases({ objects, clock: new TestClock(), log: quiet, newId: () => crypto.randomUUID(), owner })
    await opened('one').take('a-blob')
    const [again, other] = ['one', 'other'].map((owner) => opened(owner).waiting('a-blob'))
    const got: boolean[][] = []
    for (let look = 0; look <= LEASE_LIMITS.ownLooks; look++) got.push([(await other?.look()) !== undefined, (await again?.look()) !== undefined])
    expect(got.slice(0, -1).flat()).not.toContain(true)
    expect(got.at(-1)).toEqual([false, true])
    expect(LEASE_LIMITS.ownLooks * LEASE_LIMITS.lookMs).toBeGreaterThan(LEASE_LIMITS.renewMs)
  })
})
