import { describe, expect, it } from 'vitest'
import { noise, streamOf } from '../contract/bytes.ts'
import { s3ObjectStore } from '../s3-object-store.ts'
import { ATTEMPTS } from './limits.ts'

type Answer = (request: { url: URL; init: RequestInit }) => Response | Promise<Response>

/** A store whose server gives these answers, one for each request, and whose pauses are over at once. */
function scripted(...answers: Answer[]) {
  const sent: string[] = []
  const wall = { now: 0 }
  const store = s3ObjectStore({
    endpoint: 'http://store.test',
    bucket: 'b',
    region: 'us-east-1',
    accessKeyId: 'id',
    secretAccessKey: 'very-secret',
    random: () => 0,
    clock: {
      now: () => wall.now,
      monotonic: () => 0,
      after: (ms, run) => {
        if (ms === 0) queueMicrotask(run)
        return () => {}
      },
    },
    fetch: async (input, init = {}) => {
      sent.push(`${init.method} ${new URL(String(input)).pathname}`)
      const answer = answers.shift()
      if (!answer) throw new TypeError('unexpected request')
      return answer({ url: new URL(String(input)), init })
    },
  })
  return { store, sent, wall }
}

const busy: Answer = () => new Response('<Error><Code>SlowDown</Code></Error>', { status: 503 })
const broken: Answer = () => Promise.reject(new TypeError('fetch failed'))
const ok: Answer = () => new Response('')
const taken: Answer = () => new Response('<Error><Code>PreconditionFailed</Code></Error>', { status: 412 })

describe('an S3 store that has trouble', () => {
  it('is asked again when it is busy or the connection breaks', async () => {
    const { store, sent } = scripted(busy, broken, ok)
    await store.put('k', noise(1, 10))
    expect(sent).toEqual(Array(3).fill('PUT /b/k'))
  })

  it('is asked again though somebody sets the clock meanwhile', async () => {
    const { store, sent, wall } = scripted(
      () => {
        wall.now += 3_600_000
        return new Response('<Error><Code>SlowDown</Code></Error>', { status: 503 })
      },
      busy,
      ok,
    )
    await store.put('k', noise(1, 10))
    expect(sent).toHaveLength(3)
  })

  it('is given up after some tries, with an error that tells no secret', async () => {
    const { store, sent } = scripted(...Array<Answer>(ATTEMPTS).fill(busy))
    await expect(store.stat('k')).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.not.stringContaining('secret') })
    expect(sent).toHaveLength(ATTEMPTS)
  })

  it('gets a stream once, because nobody has its bytes any more', async () => {
    const { store, sent } = scripted(busy, ok)
    await expect(store.put('k', { size: 10, stream: streamOf([noise(1, 10)]) })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(sent).toHaveLength(1)
  })

  it('is not asked again when it refuses', async () => {
    const { store, sent } = scripted(() => new Response('<Error><Code>AccessDenied</Code></Error>', { status: 403 }))
    await expect(store.get('k')).rejects.toMatchObject({ code: 'UNKNOWN' })
    expect(sent).toHaveLength(1)
  })

  it('does not take its own first try for a rival', async () => {
    const body = noise(1, 10)
    const same: Answer = () => new Response(body, { headers: { 'content-length': '10' } })
    expect(await scripted(broken, taken, same).store.putIfAbsent('k', body)).toBe(true)
    expect(await scripted(broken, taken, same).store.putIfAbsent('k', noise(2, 10))).toBe(false)
    expect(await scripted(taken).store.putIfAbsent('k', body)).toBe(false)
  })

  it('says when a batch of deletes was not done', async () => {
    const failed: Answer = () => new Response('<DeleteResult><Error><Key>k</Key><Code>InternalError</Code></Error></DeleteResult>')
    await expect(scripted(failed).store.delete(['k'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
