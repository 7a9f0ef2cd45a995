import { join } from 'node:path'
import type { BlobStore } from '../registry/blob-store.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import { SettingsError } from '../runtime/settings/read.ts'
import { fsBlobStore } from '../stores/fs-blob-store.ts'
import { fsObjectStore } from '../stores/fs-object-store.ts'
import { s3ObjectStore } from '../stores/s3-object-store.ts'
import { slicedBlobStore } from '../stores/sliced-blob-store.ts'
import { type Kept, keptIn } from './kept.ts'
import type { EdgeConfig } from './settings.ts'

export interface EdgeStores {
  readonly blobs: BlobStore
  readonly records: ObjectStore
  /** The key pair is in it, so it is on this machine's own disk, wherever the rest is. */
  readonly kept: Kept
}

/** The stores that the settings ask for. @throws SettingsError when they lack something */
export function openEdgeStores(config: EdgeConfig): EdgeStores {
  const folder = config['edge.data_volume']
  const kept = keptIn(fsObjectStore(join(folder, 'state')))
  if (config['edge.storage.kind'] === 'filesystem') {
    return { blobs: fsBlobStore(join(folder, 'blobs')), records: fsObjectStore(join(folder, 'records')), kept }
  }
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
    kept,
  }
}

function required(config: EdgeConfig, key: 'edge.storage.s3.bucket' | 'edge.storage.s3.access_key' | 'edge.storage.s3.secret_key'): string {
  const value = config[key]
  if (value === undefined) throw new SettingsError([`${key} is missing: edge.storage.kind s3 needs it.`])
  return value
}
