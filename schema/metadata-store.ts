import { GRACE_MS } from '../registry/garbage/limits.ts'
import type { MetadataStore } from '../registry/metadata-store.ts'
import type { Database } from './database.ts'
import { deleteArtifact } from './delete-artifact.ts'
import { linkBlob, mountBlob, repositoriesWithBlob, reserveBlob, statBlob, unlinkBlob } from './metadata/blobs.ts'
import { getManifest, putManifest, statManifest } from './metadata/manifests.ts'
import { listReferrers } from './metadata/referrers.ts'
import { RefusedByQuota } from './metadata/refused-quota.ts'
import { findRepository, listRepositories } from './metadata/repositories.ts'
import { tagVersions } from './metadata/tag-versions.ts'
import { deleteTag, listTags } from './metadata/tags.ts'
import { createUpload, deleteUpload, findUpload } from './metadata/uploads.ts'

/**
 * What a local registry knows besides bytes, in this database. Bytes are never asked for here. `graceMs`: what the garbage collection waits
 * before it takes anything, in milliseconds.
 */
export function metadataStore(db: Database, graceMs: number = GRACE_MS): MetadataStore {
  const quota = new RefusedByQuota(db)
  return {
    repositories: (page) => listRepositories(db, page),
    repositoryExists: async (name) => (await findRepository(db.read, name)) !== undefined,
    statManifest: (name, reference) => statManifest(db, name, reference),
    getManifest: (name, reference) => getManifest(db, name, reference),
    putManifest: (name, manifest, actor) =>
      quota.watch({ repository: name, actor, digest: manifest.descriptor.digest, tag: manifest.tags[0] }, () =>
        putManifest(db, name, manifest, actor),
      ),
    deleteManifest: async (name, digest, actor) => (await deleteArtifact(db, name, digest, actor, true)) === 'deleted',
    listTags: (name, page) => listTags(db, name, page),
    deleteTag: (name, tag, actor) => deleteTag(db, name, tag, actor),
    versions: tagVersions(db, (name, actor, work) => quota.watch({ repository: name, actor }, work)),
    listReferrers: (name, subject, query) => listReferrers(db, name, subject, query),
    statBlob: (name, digest) => statBlob(db, graceMs, name, digest),
    reserveBlob: (digest) => reserveBlob(db, digest),
    linkBlob: (name, blob, reservation, actor) => quota.watch({ repository: name, actor }, () => linkBlob(db, graceMs, name, blob, reservation)),
    mountBlob: (name, digest, from, actor) => quota.watch({ repository: name, actor }, () => mountBlob(db, name, digest, from)),
    unlinkBlob: (name, digest, actor) => unlinkBlob(db, name, digest, actor),
    repositoriesWithBlob: (digest, limit) => repositoriesWithBlob(db, digest, limit),
    createUpload: (name, upload, actor) => createUpload(db, name, upload, actor),
    findUpload: (name, id) => findUpload(db, name, id),
    deleteUpload: (name, id) => deleteUpload(db, name, id),
  }
}
