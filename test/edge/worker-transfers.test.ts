import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { sha256, TestOrigin } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

it('a Worker has blobs wait for their turn, tells those for whom there is no room when to come again, and keeps nobody else waiting', async () => {
  await using origin = await TestOrigin.start()
  await origin.project('open', { public: true })
  const image = await origin.push('open/app', 'v1', randomBytes(20_000_000))
  await using edge = await TestWorker.start(origin, await bundleWorker(), { bindings: { TRANSFERS_MAX: '1', TRANSFERS_WAITING: '1' } })
  const blob = `${edge.url}/v2/open/app/blobs/${image.layer}`
  await (await fetch(blob)).arrayBuffer()
  await until('it is stored', () => edge.has(image.layer))

  const slow = (await fetch(blob)).body?.getReader()
  await slow?.read()
  const waiting = fetch(blob)
  const left = new AbortController()
  const refused = await until503(blob, left)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
  expect(await refused.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] })
  for (const path of ['/v2/open/app/manifests/v1', '/v2/open/app/tags/list']) expect((await edge.get(path)).status).toBe(200)
  expect((await fetch(blob, { method: 'HEAD' })).status).toBe(200)
  // Who leaves gives its place to the next.
  await slow?.cancel()
  const bytes = new Uint8Array(await (await waiting).arrayBuffer())
  expect(sha256(bytes)).toBe(image.layer)
  expect(sha256(new Uint8Array(await (await fetch(blob)).arrayBuffer()))).toBe(image.layer)
}, 60_000)

/** The first that finds no room: the others wait, until they have left. */
async function until503(url: string, left: AbortController): Promise<Response> {
  try {
    return await Promise.any(
      Array.from({ length: 3 }, async () => {
        const answer = await fetch(url, { signal: left.signal })
        if (answer.status !== 503) throw new Error(`answered ${answer.status}`)
        return new Response(await answer.text(), answer)
      }),
    )
  } finally {
    left.abort()
  }
}
