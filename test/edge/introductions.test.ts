import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { randomImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'
import { proxyCache } from './proxy-cache.ts'
import { TestEdge, TestOrigin } from './support.ts'

// An edge asks the upstreams of proxy caches how they want to be asked before a client waits for it.

/** No Docker Hub, which would fill in `library/`. */
const OTHER = { type: 'docker-registry' }
const [first, second] = [await startUpstream(), await startUpstream()]

describe.skipIf(first === undefined || second === undefined)('an edge that hears of an upstream', () => {
  const [known, late] = [first as Upstream, second as Upstream]
  let origin: TestOrigin
  let edge: TestEdge

  const met = async (hub: Upstream) => {
    await until('it was asked', () => hub.seen.length > 0)
    expect(hub.seen).toEqual([{ kind: 'ping', method: 'GET', path: '/v2/', authorized: false }])
    hub.reset()
  }
  /** What the upstream is asked for a cold image. */
  const asked = async (name: string, hub: Upstream) => {
    const image = randomImage({ layers: [1_000] })
    await hub.push('team/app', image, 'v1')
    hub.reset()
    expect((await edge.get(`/v2/${name}/team/app/manifests/v1`)).status).toBe(200)
    return hub.seen.slice(0, 2).map(({ kind, authorized }) => [kind, authorized])
  }

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await proxyCache(origin, 'known', known.url, OTHER)
    edge = await TestEdge.start(origin)
  })

  afterEach(() => {
    known.reset()
    late.reset()
  })

  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
    await Promise.all([known.close(), late.close()])
  })

  it('meets it at its start, so that the first request of all carries its token', async () => {
    await met(known)
    expect(await asked('known', known)).toEqual([
      ['token', false],
      ['manifest', true],
    ])
  })

  it('meets one that comes along, and nobody twice', async () => {
    await proxyCache(origin, 'late', late.url, OTHER)
    await met(late)
    expect(await asked('late', late)).toEqual([
      ['token', false],
      ['manifest', true],
    ])
    expect(known.seen.filter(({ kind }) => kind === 'ping')).toEqual([])
  })
})
