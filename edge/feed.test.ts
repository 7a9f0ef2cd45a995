import { describe, expect, it } from 'vitest'
import type { FeedBatch, FeedEntry } from '../mesh/feed.ts'
import { TestClock } from '../test/support/clock.ts'
import { Feed } from './feed.ts'
import { keptInMemory } from './kept.ts'
import { FEED_RETRY_FIRST_MS, FEED_STALL_MS } from './limits.ts'
import { OriginClient } from './origin-client.ts'
import { Trust } from './trust.ts'

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

type Stream = ReadableStreamDefaultController<Uint8Array>

/** A feed on its own: the test is the origin, which answers each opening with a stream or a status. */
async function world(kept = keptInMemory()) {
  const clock = new TestClock()
  const log: string[] = []
  let streams = 0
  const openings: { after: string | null; nonce: string | null; signal: AbortSignal | null | undefined; answer: (answer: Response) => void }[] = []
  const origin = new OriginClient({
    url: new URL('https://origin.test'),
    clock,
    newId: () => 'nonce',
    fetch: (url, init) =>
      new Promise((resolve, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason))
        openings.push({ after: url.searchParams.get('after'), nonce: url.searchParams.get('nonce'), signal: init.signal, answer: resolve })
      }),
  })
  const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])
  const enrolment = { id: 'e', name: 'e', region: '', issuer: 'atoll', service: 'atoll', jwks: { keys: [] } }
  origin.join({ enrolment, key: { kid: 'k', privateKey: pair.privateKey, publicKey: { kty: 'OKP' } } })
  const trust = await Trust.open({ clock, monotonic: () => clock.now(), kept, grace: 3_600_000 })
  const feed = await Feed.open({
    origin,
    kept,
    trust,
    clock,
    random: () => 1,
    newId: () => `stream-${++streams}`,
    log: silent,
    verify: async (line) => {
      const { signed, ...batch } = JSON.parse(line) as FeedBatch & { signed: boolean }
      if (!signed) throw new TypeError('nobody signed this')
      return batch
    },
    listener: {
      apply: async (entries) => {
        log.push(...entries.map(({ seq }) => `applied ${seq}`))
      },
      restart: async (run) => {
        log.push(`run ${run}`)
      },
    },
  })
  const ending = new AbortController()
  const running = feed.follow(ending.signal)
  /** All of it is in this process: it only has to get its turn. */
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    clock,
    feed,
    trust,
    log,
    kept,
    openings,
    until,
    /** The next opening's question, answered with a stream. */
    async serve(): Promise<{ after: string | null; nonce: string; say: (batch: Partial<FeedBatch>, signed?: boolean) => void; end: () => void }> {
      await until(() => openings.length > 0)
      const opening = openings.shift()
      let controller: Stream | undefined
      opening?.answer(
        new Response(
          new ReadableStream<Uint8Array>({
            start(made) {
              controller = made
              opening?.signal?.addEventListener('abort', () => made.error(opening.signal?.reason))
            },
          }),
        ),
      )
      const say = ({ after = 0, upto = after, entries = [], time = clock.now(), nonce }: Partial<FeedBatch>, signed = true) =>
        controller?.enqueue(new TextEncoder().encode(`${JSON.stringify({ after, upto, entries, time, nonce, signed })}\n`))
      return { after: opening?.after ?? null, nonce: opening?.nonce ?? '', say, end: () => controller?.close() }
    },
    async refuse(status: number): Promise<void> {
      await until(() => openings.length > 0)
      openings.shift()?.answer(new Response(null, { status }))
    },
    async [Symbol.asyncDispose]() {
      ending.abort(new Error('over'))
      await running
    },
  }
}

const principal = (seq: number): FeedEntry => ({ kind: 'principal', seq, id: 'robot:1' })

describe('the feed', () => {
  it('begins at the head, applies what comes in order, and counts as heard', async () => {
    await using at = await world()
    const { after, say } = await at.serve()
    expect(after).toBeNull()
    say({ after: 7, upto: 7 })
    at.clock.advance(10)
    say({ after: 7, upto: 9, entries: [principal(8), principal(9)] })
    await at.until(() => at.log.includes('applied 9'))
    await at.until(() => at.trust.connected)
    expect(at.log).toEqual(['run 0', 'run 1', 'applied 8', 'applied 9'])
    expect(at.trust.connected).toBe(true)
  })

  it('comes again from its own cursor when a line was lost, soon, however often it happens', async () => {
    await using at = await world()
    for (let turn = 0; turn < 6; turn++) {
      const stream = await at.serve()
      at.clock.advance(10)
      stream.say({ after: 7 })
      at.clock.advance(10)
      // What was between 7 and 9 never came.
      stream.say({ after: 9 })
      await at.clock.waitedFor(FEED_RETRY_FIRST_MS)
      at.clock.advance(FEED_RETRY_FIRST_MS)
    }
    const last = await at.serve()
    expect(last.after).toBe('7')
    last.say({ after: 7, upto: 9, entries: [principal(9)] })
    await at.until(() => at.log.includes('applied 9'))
  })

  it('waits longer and longer for an origin that says nothing', async () => {
    await using at = await world()
    for (const wait of [1, 2, 4, 8]) {
      await at.refuse(503)
      await at.clock.waitedFor(FEED_RETRY_FIRST_MS * wait)
      at.clock.advance(FEED_RETRY_FIRST_MS * wait)
    }
  })

  it('takes no batch that the origin did not sign, and none that is older than the last', async () => {
    await using at = await world()
    const stream = await at.serve()
    stream.say({ after: 7 })
    await at.until(() => at.log.includes('run 1'))
    at.clock.advance(1_000)
    stream.say({ after: 7, upto: 8, entries: [principal(8)], time: at.clock.now() - 5_000 })
    stream.say({ after: 7, upto: 8, entries: [principal(8)] }, false)
    await at.clock.waitedFor(FEED_RETRY_FIRST_MS)
    expect(at.log).toEqual(['run 0', 'run 1'])
  })

  it('hears an origin whose clock was set back, on a stream that it asks for anew', async () => {
    await using at = await world()
    const stream = await at.serve()
    stream.say({ after: 7 })
    await at.until(() => at.log.includes('run 1'))
    const back = at.clock.now() - 3_600_000
    stream.say({ after: 7, upto: 8, entries: [principal(8)], time: back })
    await at.clock.waitedFor(FEED_RETRY_FIRST_MS)
    at.clock.advance(FEED_RETRY_FIRST_MS)
    const replayed = await at.serve()
    replayed.say({ after: 7, upto: 8, entries: [principal(8)], time: back, nonce: stream.nonce })
    await at.clock.waitedFor(FEED_RETRY_FIRST_MS * 2)
    at.clock.advance(FEED_RETRY_FIRST_MS * 2)
    expect(at.log).toEqual(['run 0', 'run 1'])
    const anew = await at.serve()
    anew.say({ after: 7, upto: 8, entries: [principal(8)], time: back, nonce: anew.nonce })
    anew.say({ after: 8, upto: 9, entries: [principal(9)], time: back + 1 })
    await at.until(() => at.log.includes('applied 9'))
    await at.until(() => at.trust.connected)
    expect(at.log).toEqual(['run 0', 'run 1', 'applied 8', 'applied 9'])
  })

  it('gives up a stream that has gone silent', async () => {
    await using at = await world()
    const stream = await at.serve()
    stream.say({ after: 7 })
    await at.until(() => at.trust.connected)
    at.clock.advance(FEED_STALL_MS)
    await at.clock.waitedFor(FEED_RETRY_FIRST_MS)
    expect(at.trust.connected).toBe(false)
  })

  it('begins a new run when the origin was set back, and goes on from its cursor after a restart', async () => {
    const kept = keptInMemory()
    {
      await using at = await world(kept)
      const stream = await at.serve()
      stream.say({ after: 7 })
      at.clock.advance(10)
      stream.say({ after: 7, upto: 8, entries: [principal(8)] })
      await at.until(() => at.log.includes('applied 8'))
      await at.clock.waitedFor(FEED_STALL_MS)
    }
    await using at = await world(kept)
    const stream = await at.serve()
    expect(stream.after).toBe('8')
    at.clock.advance(100)
    stream.say({ after: 3, upto: 3 })
    await at.until(() => at.log.includes('run 2'))
  })

  it('knows that it was revoked, and that it was not when it is heard again', async () => {
    await using at = await world()
    await at.refuse(403)
    await at.clock.waitedFor(FEED_RETRY_FIRST_MS)
    expect(at.feed.revoked).toBe(true)
    at.clock.advance(FEED_RETRY_FIRST_MS)
    const stream = await at.serve()
    stream.say({ after: 7 })
    await at.until(() => at.log.includes('run 1'))
    expect(at.feed.revoked).toBe(false)
  })
})
