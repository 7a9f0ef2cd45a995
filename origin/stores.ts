import { join } from 'node:path'
import type { BlobStore } from '../registry/blob-store.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import { SettingsError } from '../runtime/settings/read.ts'
import { fsBlobStore } from '../stores/fs-blob-store.ts'
import { fsObjectStore } from '../stores/fs-object-store.ts'
import { PiecePool } from '../stores/piece-pool.ts'
import { s3ObjectStore } from '../stores/s3-object-store.ts'
import { slicedBlobStore } from '../stores/sliced-blob-store.ts'
import type { OriginConfig } from './config/settings.ts'

export interface OriginStores {
  /** What was pushed here. */
  readonly blobs: BlobStore
  /** What proxy caches hold: it can be fetched again. */
  readonly cache: { readonly blobs: BlobStore; readonly records: ObjectStore }
}

/** The stores that the configuration asks for. @throws SettingsError when it lacks something */
export function openStores(config: OriginConfig): OriginStores {
  const folder = config.data_volume
  const records = fsObjectStore(join(folder, 'cache', 'records'))
  if (config['storage_service.kind'] === 'filesystem') {
    const pool = new PiecePool()
    return { blobs: fsBlobStore(join(folder, 'blobs'), { pool }), cache: { blobs: fsBlobStore(join(folder, 'cache', 'blobs'), { pool }), records } }
  }
  const bucket = {
    bucket: required(config, 'storage_service.s3.bucket'),
    region: config['storage_service.s3.region'],
    endpoint: config['storage_service.s3.endpoint'] ?? `https://s3.${config['storage_service.s3.region']}.amazonaws.com`,
    accessKeyId: required(config, 'storage_service.s3.access_key'),
    secretAccessKey: required(config, 'storage_service.s3.secret_key'),
  }
  return {
    blobs: slicedBlobStore(s3ObjectStore({ ...bucket, prefix: 'registry/' })),
    cache: { blobs: slicedBlobStore(s3ObjectStore({ ...bucket, prefix: 'cache/' })), records },
  }
}

function required(
  config: OriginConfig,
  key: 'storage_service.s3.bucket' | 'storage_service.s3.access_key' | 'storage_service.s3.secret_key',
): string {
  const value = config[key]
  if (value === undefined) throw new SettingsError([`${key} is missing: storage_service.kind s3 needs it.`])
  return value
}
