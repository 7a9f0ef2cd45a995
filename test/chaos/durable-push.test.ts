import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hexOf } from '../../registry/spec/digests.ts'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { answersIn, readTrace, type TracedAnswer, traceTo } from '../support/disk-trace.ts'
import { randomImage, type TestBlob, testBlob } from '../support/images.ts'
import { basic } from '../support/tenant.ts'
import { requireTool } from '../support/tools.ts'
import { until } from '../support/until.ts'

// kill -9 leaves what the kernel has, so it shows the order of the steps and not that a loss of power would leave them. strace shows which
// bytes and names had been synced when an answer was sent.

const absent = !requireTool('strace', 'apt-get install strace')

/** More than a writer syncs behind its back: the last sync has to be for the rest as well. */
const LARGE_BYTES = 40 * 1024 * 1024
const REPOSITORY = '/v2/team/app'
/** Made anew at each start: locks, and what SQLite keeps for the processes that live. */
const PASSING = /\/(origin\.lock[^/]*|atoll\.db-shm)$/

describe.skipIf(absent)('what is acknowledged is synced before the answer is sent', () => {
  let atoll: AtollProcess
  let folder: string
  /** What was answered with 201 or 202, in order. */
  const told: { readonly what: string; readonly status: number }[] = []
  let answers: readonly TracedAnswer[]
  let data: string
  const image = randomImage({ layers: [100_000, LARGE_BYTES] })
  const cut = testBlob(randomBytes(300_000))
  const [config, layer, large] = image.blobs as [TestBlob, TestBlob, TestBlob]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atoll-trace-'))
    const trace = join(folder, 'trace')
    atoll = await startAtoll({ role: 'origin', under: traceTo(trace), env: { ATOLL_LOG_LEVEL: 'error' } })
    data = join(atoll.data, 'data')
    await send('a project', 'POST', '/api/v2.0/projects', JSON.stringify({ project_name: 'team', public: true }), 'application/json')

    await send('a monolithic blob', 'PUT', `${await begin()}?digest=${config.digest}`, config.bytes)
    await send('a blob in one request', 'POST', `${REPOSITORY}/blobs/uploads/?digest=${layer.digest}`, layer.bytes)
    const chunked = await begin()
    for (const [from, to] of [
      [0, 1000],
      [1000, LARGE_BYTES - 5],
      [LARGE_BYTES - 5, LARGE_BYTES],
    ]) {
      await send('a chunk', 'PATCH', chunked, large.bytes.subarray(from, to))
    }
    await send('a chunked blob', 'PUT', `${chunked}?digest=${large.digest}`)
    await send('a mount', 'POST', `/v2/team/other/blobs/uploads/?mount=${layer.digest}&from=team/app`)
    await send('a manifest', 'PUT', `${REPOSITORY}/manifests/v1`, image.manifest.bytes, image.manifest.mediaType)

    for (const then of ['an empty chunk', 'a blob whose chunk was cut'] as const) {
      const upload = await begin()
      await patchWithoutEnd(upload, cut.bytes)
      await atoll.kill()
      await readTrace(trace, atoll.pid)
      await atoll.restart()
      if (then === 'an empty chunk') await send(then, 'PATCH', upload, new Uint8Array())
      else await send(then, 'PUT', `${upload}?digest=${cut.digest}`)
    }
    const { pid } = atoll
    await atoll[Symbol.asyncDispose]()
    answers = answersIn(await readTrace(trace, pid), data, new Set([201, 202]))
  }, 120_000)
  afterAll(async () => {
    await atoll?.[Symbol.asyncDispose]()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })

  it('every answer that was heard is in the trace', () => {
    expect(answers.map(({ status }) => status)).toEqual(told.map(({ status }) => status))
  })

  it('no byte and no name that was written before an answer could be lost after it', () => {
    const open = answers.map(({ undurable }, index) => ({ after: told[index]?.what, undurable: undurable.filter((name) => !PASSING.test(name)) }))
    expect(open.filter(({ undurable }) => undurable.length > 0)).toEqual([])
  })

  it('a blob is acknowledged when all of its bytes, its name and then its record are synced', () => {
    for (const [what, blob] of [
      ['a monolithic blob', config],
      ['a blob in one request', layer],
      ['a chunked blob', large],
      ['a blob whose chunk was cut', cut],
    ] as const) {
      const { durable, steps } = answerTo(what)
      const path = pathOf(blob)
      expect(durable.get(path), what).toBe(blob.bytes.length)
      expect(inOrder(steps, [`name ${path}`, `sync ${join(path, '..')}`, `write ${data}/atoll.db-wal`, `sync ${data}/atoll.db-wal`]), what).toBe(true)
    }
  })

  it('a session, a mount and a manifest are acknowledged when the journal of the database is synced', () => {
    for (const what of ['a session', 'a mount', 'a manifest']) {
      expect(inOrder(answerTo(what).steps, [`write ${data}/atoll.db-wal`, `sync ${data}/atoll.db-wal`]), what).toBe(true)
    }
  })

  it('a chunk is acknowledged when every byte of the Range that is told is synced', () => {
    for (const [index, { what }] of told.entries()) {
      if (what !== 'a chunk') continue
      const steps = answers[index]?.steps ?? []
      const written = steps.findLastIndex((step) => step.startsWith(`write ${data}/blobs/drafts/`))
      const path = steps[written]?.slice('write '.length)
      expect(written, what).toBeGreaterThanOrEqual(0)
      expect(steps.slice(written), what).toContain(`sync ${path}`)
    }
  })

  function answerTo(what: string): TracedAnswer {
    const answer = answers[told.findIndex((entry) => entry.what === what)]
    if (answer === undefined) throw new Error(`nobody heard of ${what}`)
    return answer
  }

  function pathOf({ digest }: TestBlob): string {
    const hex = hexOf(digest)
    return join(data, 'blobs/blobs/sha256', hex.slice(0, 2), hex)
  }

  async function begin(): Promise<string> {
    const answer = await send('a session', 'POST', `${REPOSITORY}/blobs/uploads/`)
    return answer.headers.get('location') ?? ''
  }

  async function send(what: string, method: string, path: string, body?: string | Uint8Array, type = 'application/octet-stream'): Promise<Response> {
    const headers = { authorization: basic({ username: 'admin', password: ADMIN_PASSWORD }), 'content-type': type }
    const bytes = typeof body === 'string' ? body : body && new Uint8Array(body)
    const answer = await fetch(`http://${atoll.origin}${path}`, { method, headers, ...(bytes !== undefined && { body: bytes }) })
    expect([201, 202], `${what}: ${await answer.text()}`).toContain(answer.status)
    told.push({ what, status: answer.status })
    return answer
  }

  /** All the bytes and never the end: resolves when the draft has them. */
  async function patchWithoutEnd(path: string, bytes: Uint8Array): Promise<void> {
    const headers = { authorization: basic({ username: 'admin', password: ADMIN_PASSWORD }), 'content-length': bytes.length + 1 }
    const cut = request(`http://${atoll.origin}${path}`, { method: 'PATCH', headers })
    // The origin is killed under it.
    cut.on('error', () => {})
    cut.write(bytes)
    await once(cut, 'socket')
    const draft = join(data, 'blobs/drafts', path.split('/').at(-1) ?? '')
    await until('the draft has every byte that was sent', async () => (await stat(draft)).size === bytes.length)
  }
})

/** Whether these are among the steps, one after the other. */
function inOrder(steps: readonly string[], wanted: readonly string[]): boolean {
  let next = 0
  for (const step of steps) if (step === wanted[next]) next++
  return next === wanted.length
}
