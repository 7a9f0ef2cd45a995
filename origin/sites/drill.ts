import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { pause, steady } from '../../registry/clock.ts'
import { algorithmOf, type Digest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseManifest } from '../../registry/spec/manifests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { environmentName } from '../../runtime/settings/define.ts'
import { copyForDrill, sampleTags } from '../../schema/mirror/drill.ts'
import { DRILL_LOOK_MS, DRILL_START_MS } from './limits.ts'
import type { SitesRoom } from './open.ts'
import { precondition } from './promote.ts'
import { statusOf } from './status.ts'

/** What a drill found. Times in seconds. */
export interface DrillReport {
  /** From the decision to the first artifact that was pulled and verified, with the lease that a lost primary is waited for. */
  readonly rto_seconds: number
  readonly rpo_seconds: number | null
  readonly artifacts: number
  readonly blobs: number
  readonly bytes: number
  /** What was not as it should be; empty: this standby could take over. */
  readonly problems: readonly string[]
}

/** Starts an origin beside this standby on a copy of what it has, pulls a sample from it over HTTP, and takes all of it away again. */
export async function drill(room: SitesRoom, sample: number): Promise<DrillReport> {
  const { standing, clock, db } = room
  const { pair } = standing
  if (pair?.role !== 'standby' || pair.filling !== undefined) throw precondition('A drill is for a standby that has everything. See: atoll dr status')
  const { dataVolume, startProcess } = room.drills
  if (startProcess === undefined) throw precondition('This process cannot start another one for a drill.')
  const begun = steady(clock)
  const { rpo_seconds: rpo } = await statusOf(room)
  const folder = await mkdtemp(join(resolve(dataVolume), 'drill-'))
  let child: ChildProcess | undefined
  try {
    await copyForDrill(db, join(folder, 'atoll.db'))
    // The bytes are read where they are; nothing of the drill writes any.
    await symlink(resolve(dataVolume, 'blobs'), join(folder, 'blobs'))
    await symlink(resolve(dataVolume, 'secret.key'), join(folder, 'secret.key'))
    const port = await freePort()
    child = startProcess(folder, { ...drillSettings(room, folder, port) })
    const base = `http://127.0.0.1:${port}`
    await ready(room, child, base)
    const pulled = { artifacts: 0, blobs: 0, bytes: 0 }
    const problems: string[] = []
    let first: number | undefined
    for (const { repository, tag, digest } of await sampleTags(db, sample)) {
      try {
        await pullWhole(room, base, repository, tag, digest, pulled)
        pulled.artifacts++
        first ??= steady(clock)
      } catch (error) {
        problems.push(`${repository}:${tag}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
    const ms = (first ?? steady(clock)) - begun + pair.leaseMs
    return { rto_seconds: Math.round(ms) / 1000, rpo_seconds: rpo, ...pulled, problems }
  } finally {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
    await rm(folder, { recursive: true, force: true })
  }
}

function drillSettings({ drills }: SitesRoom, folder: string, port: number): Record<string, string> {
  const settings = {
    ...drills.settings,
    data_volume: folder,
    'http.host': '127.0.0.1',
    'http.port': String(port),
    'control_plane.enabled': 'false',
    'log.level': 'silent',
  }
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [environmentName(key), value]))
}

async function ready({ fetch, clock }: SitesRoom, child: ChildProcess, base: string): Promise<void> {
  const deadline = steady(clock) + DRILL_START_MS
  while (steady(clock) < deadline) {
    if (child.exitCode !== null) throw new RegistryError('UNAVAILABLE', `The origin of the drill ended with ${child.exitCode}.`)
    const answer = await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(DRILL_START_MS) }).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer?.ok === true) return
    await pause(clock, DRILL_LOOK_MS)
  }
  throw new RegistryError('UNAVAILABLE', 'The origin of the drill was not ready in time.')
}

interface Pulled {
  artifacts: number
  blobs: number
  bytes: number
}

/** As a client does: by tag, then everything that it names, each verified. */
async function pullWhole(room: SitesRoom, base: string, repository: RepositoryName, tag: string, expected: Digest, pulled: Pulled): Promise<void> {
  const headers = { Authorization: `Bearer ${await room.pushToken(repository, repository)}`, Accept: '*/*' }
  const get = async (path: string, digest: Digest, keep: boolean): Promise<{ readonly bytes: Uint8Array; readonly type: string }> => {
    const answer = await room.fetch(`${base}/v2/${repository}/${path}`, { headers })
    if (!answer.ok || answer.body === null) {
      await answer.body?.cancel()
      throw new Error(`${path} is answered with ${answer.status}`)
    }
    const hasher = room.createHasher(algorithmOf(digest))
    const kept: Uint8Array[] = []
    for await (const chunk of answer.body) {
      hasher.update(chunk)
      pulled.bytes += chunk.byteLength
      if (keep) kept.push(chunk)
    }
    const actual = hasher.digest()
    if (actual !== digest) throw new Error(`${path} has ${actual} where ${digest} is meant`)
    return { bytes: Buffer.concat(kept), type: answer.headers.get('content-type') ?? '' }
  }
  const walk = async (path: string, digest: Digest): Promise<void> => {
    const { bytes, type } = await get(path, digest, true)
    const { manifests, blobs } = parseManifest(bytes, type)
    for (const child of manifests) await walk(`manifests/${child.digest}`, child.digest)
    for (const blob of blobs) {
      await get(`blobs/${blob.digest}`, blob.digest, false)
      pulled.blobs++
    }
  }
  await walk(`manifests/${tag}`, expected)
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new TypeError('there is no port')
  return address.port
}
