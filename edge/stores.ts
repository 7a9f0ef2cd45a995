import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlobStore } from '../registry/blob-store.ts'
import type { Clock } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import { diskUse } from '../runtime/disk.ts'
import { SettingsError } from '../runtime/settings/read.ts'
import { fsBlobStore } from '../stores/fs-blob-store.ts'
import { fsObjectStore } from '../stores/fs-object-store.ts'
import { s3ObjectStore } from '../stores/s3-object-store.ts'
import { slicedBlobStore } from '../stores/sliced-blob-store.ts'
import { type Kept, keptIn } from './kept.ts'
import type { EdgeConfig } from './settings.ts'
import { bucketCapacity, diskCapacity } from './space/capacity.ts'
import { openSpace, type SpacedStores } from './space/open.ts'
import { parsePin } from './space/pins.ts'
import { Reads } from './space/reads.ts'
import { StoreHealth } from './without-store/store-health.ts'

export interface EdgeStores {
  readonly blobs: BlobStore
  readonly records: ObjectStore
  /** The key pair is in it, so it is on this machine's own disk, wherever the rest is. */
  readonly kept: Kept
  readonly space: Pick<SpacedStores, 'status' | 'run'>
  /** Where processes that share a bucket agree on who fills what; a folder is one process's own. */
  readonly leases: ObjectStore | undefined
  /** Whether a store that is another machine's answers; undefined: it is this one's own. */
  readonly health: StoreHealth | undefined
}

/** What an edge keeps of itself, on this machine's own disk. */
export function openKept(config: EdgeConfig): Kept {
  return keptIn(stateIn(config))
}

/** The stores that the settings ask for, within the budget that they allow. @throws SettingsError when they lack something */
export async function openEdgeStores(config: EdgeConfig, { clock, log }: { readonly clock: Clock; readonly log: Log }): Promise<EdgeStores> {
  const folder = config['edge.data_volume']
  await mkdir(folder, { recursive: true })
  const most = config['edge.cache.max_bytes']
  const common = { pins: config['edge.cache.pins'].map(parsePin), clock, log }
  if (config['edge.storage.kind'] === 'filesystem') {
    const reads = new Reads()
    const space = await openSpace({
      ...common,
      blobs: fsBlobStore(join(folder, 'blobs'), { reading: (digest) => reads.begin(digest) }),
      records: fsObjectStore(join(folder, 'records')),
      reads: { told: true, by: reads },
      capacity: diskCapacity({ most, minFree: config['edge.cache.min_free'], disk: () => diskUse(folder) }),
    })
    return { blobs: space.blobs, records: space.records, kept: keptIn(space.urgent(stateIn(config))), space, leases: undefined, health: undefined }
  }
  const { blobs, records, leases } = inBucket(config)
  const health = new StoreHealth(records, { clock, log })
  await health.answers()
  const away = () => health.away
  const space = await openSpace({ ...common, blobs, records, reads: { told: false, by: new Reads() }, capacity: bucketCapacity(most), away })
  return { blobs: space.blobs, records: space.records, kept: openKept(config), space, leases, health }
}

function stateIn(config: EdgeConfig): ObjectStore {
  return fsObjectStore(join(config['edge.data_volume'], 'state'))
}

function inBucket(config: EdgeConfig): Pick<EdgeStores, 'blobs' | 'records' | 'leases'> {
  const region = config['edge.storage.s3.region']
  const bucket = {
    region,
    bucket: required(config, 'edge.storage.s3.bucket'),
    endpoint: config['edge.storage.s3.endpoint'] ?? `https://s3.${region}.amazonaws.com`,
    accessKeyId: required(config, 'edge.storage.s3.access_key'),
    secretAccessKey: required(config, 'edge.storage.s3.secret_key'),
  }
  return {
    blobs: slicedBlobStore(s3ObjectStore({ ...bucket, prefix: 'edge/blobs/' })),
    records: s3ObjectStore({ ...bucket, prefix: 'edge/records/' }),
    leases: s3ObjectStore({ ...bucket, prefix: 'edge/' }),
  }
}

function required(config: EdgeConfig, key: 'edge.storage.s3.bucket' | 'edge.storage.s3.access_key' | 'edge.storage.s3.secret_key'): string {
  const value = config[key]
  if (value === undefined) throw new SettingsError([`${key} is missing: edge.storage.kind s3 needs it.`])
  return value
}
