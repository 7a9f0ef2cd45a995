import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { peakMemory } from '../bench/load.ts'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { must } from '../support/run.ts'
import { Tenant, tokenAt } from '../support/tenant.ts'
import { type LargeBlob, largeBlob, pullLarge, pushLarge, stalledReaders } from './large-blobs.ts'

// Invariant 5: memory does not grow with the size of a layer. Each role is a process of its own, and Linux keeps the most that it ever held.

const MIB = 1024 * 1024
const LAYER = 256 * MIB
const PUSHES = 8
const SLOW_READERS = 16
const REPLICATION_MS = 120_000
/** MiB. A process holds 100 or more without any layer, and about 200 at work; with one layer held whole it would be 360 and more. */
const BOUND = 280
const REPOSITORY = 'team/app'
const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }

describe.skipIf(process.platform !== 'linux')('no process holds a layer', () => {
  const layer = largeBlob(LAYER)
  const running = new AsyncDisposableStack()
  const watched = new Map<string, AtollProcess>()
  let origin: AtollProcess
  let edge: AtollProcess
  let other: AtollProcess

  const start = async (name: string, options: Parameters<typeof startAtoll>[0]) => {
    const started = running.use(await startAtoll(options))
    watched.set(name, started)
    return started
  }
  const cli = async (...args: string[]) => {
    const env = { HOME: origin.data, ATOLL_SERVER: `http://${origin.origin}`, ATOLL_USERNAME: 'admin', ATOLL_PASSWORD: ADMIN_PASSWORD }
    await must(new URL('../../cli/atoll', import.meta.url).pathname, args, { env, input: `${ADMIN_PASSWORD}\n`, deadlineMs: REPLICATION_MS })
  }
  const pushTo = async (host: string, blob: LargeBlob) =>
    await pushLarge(host, REPOSITORY, await tokenAt(host, `repository:${REPOSITORY}:pull,push`, ADMIN), blob)
  const pullFrom = async (host: string, blob = layer) => await pullLarge(host, REPOSITORY, await tokenAt(host, `repository:${REPOSITORY}:pull`), blob)
  const expectAllSmall = async () => {
    for (const [name, { pid }] of watched) expect(await peakMemory(pid), `the most that the ${name} held, in MiB`).toBeLessThan(BOUND)
  }

  beforeAll(async () => {
    const env = { ATOLL_LOG_LEVEL: 'error', ATOLL_CONTROL_PLANE_ENABLED: 'false' }
    origin = await start('origin', { role: 'origin', env })
    const tenant = new Tenant(origin)
    await tenant.project('team', { public: true })
    const enrolment = await tenant.enrolmentToken('elsewhere')
    edge = await start('edge', {
      role: 'edge',
      env: { ...env, ATOLL_EDGE_ORIGIN_URL: `http://${origin.origin}`, ATOLL_EDGE_ENROLMENT_TOKEN: enrolment },
    })
    other = await start('other origin', { role: 'origin', env })
    await start('control plane', { role: 'control-plane', ready: [], env: { ...env, ATOLL_DATA_VOLUME: join(origin.data, 'data') } })
    await pushTo(origin.origin, layer)
  }, 120_000)

  afterAll(async () => {
    await running[Symbol.asyncDispose]()
  })

  it('while it is pushed, pulled, and pulled through an edge', async () => {
    await pullFrom(origin.origin)
    await pullFrom(edge.edge)
    await pullFrom(edge.edge)
    await expectAllSmall()
  }, 120_000)

  it('while it is pushed through an edge', async () => {
    await pushTo(edge.edge, largeBlob(LAYER))
    await expectAllSmall()
  }, 120_000)

  it('while many read a little of it and stop, warm or cold, and one reads all of it meanwhile', async () => {
    const cold = largeBlob(LAYER)
    await pushTo(origin.origin, cold)
    for (const [host, blob] of [
      [origin.origin, layer],
      [edge.edge, layer],
      [edge.edge, cold],
    ] as const) {
      const token = await tokenAt(host, `repository:${REPOSITORY}:pull`)
      using _stalled = await stalledReaders(host, REPOSITORY, token, blob, SLOW_READERS)
      await pullFrom(host, blob)
      await expectAllSmall()
    }
  }, 120_000)

  it('while many push at once', async () => {
    await Promise.all(Array.from({ length: PUSHES }, () => pushTo(origin.origin, largeBlob(LAYER / PUSHES))))
    await Promise.all(Array.from({ length: PUSHES }, () => pushTo(edge.edge, largeBlob(LAYER / PUSHES))))
    await expectAllSmall()
  }, 120_000)

  it('while it goes to another site', async () => {
    const config = largeBlob(MIB)
    await pushTo(origin.origin, config)
    const answer = await fetch(`http://${origin.origin}/v2/${REPOSITORY}/manifests/v1`, {
      method: 'PUT',
      headers: { 'content-type': OCI_MANIFEST, authorization: `Bearer ${await tokenAt(origin.origin, `repository:${REPOSITORY}:pull,push`, ADMIN)}` },
      body: JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config.digest, size: config.size },
        layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer.digest, size: layer.size }],
      }),
    })
    expect(answer.status, await answer.text()).toBe(201)
    await cli('replicate', 'endpoint', 'add', 'other', `http://${other.origin}`, '--login', ADMIN.username)
    await cli('replicate', 'rule', 'create', 'push', '--push-to', 'other', '--repository', 'team/**')
    await cli('replicate', 'run', 'push', '--wait')
    await pullLarge(other.origin, REPOSITORY, await tokenAt(other.origin, `repository:${REPOSITORY}:pull`, ADMIN), layer)
    await expectAllSmall()
  }, 180_000)
})
