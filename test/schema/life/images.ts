import { GRACE_MS } from '../../../registry/garbage/limits.ts'
import { parseDigest } from '../../../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../../../registry/spec/names.ts'
import { type Dot, nextVersion, type SiteId } from '../../../registry/versions/version.ts'
import { accessoriesOf, listAccessories, parentsOf } from '../../../schema/accessories.ts'
import { contentsOf, partsOf } from '../../../schema/artifact-parts.ts'
import { addTag, findArtifact, listArtifacts, listParents, listTagRows } from '../../../schema/artifacts.ts'
import type { Database } from '../../../schema/database.ts'
import { deleteArtifact } from '../../../schema/delete-artifact.ts'
import { deleteRepository } from '../../../schema/delete-repository.ts'
import { garbageIndex } from '../../../schema/garbage.ts'
import { createImmutableRule, deleteImmutableRule } from '../../../schema/immutable-rules.ts'
import { addLabel, createLabel, deleteLabel, findLabel, labelsOf, listLabels, removeLabel, updateLabel } from '../../../schema/labels.ts'
import { layersLike } from '../../../schema/layers.ts'
import { recountProject } from '../../../schema/metadata/recount.ts'
import { forgetDeletedTagsBefore, listDeletedTags } from '../../../schema/metadata/tombstones.ts'
import { listUploadsBefore, withoutUpload } from '../../../schema/metadata/uploads.ts'
import { metadataStore } from '../../../schema/metadata-store.ts'
import { forgetPullsBefore, recordPulls, takeSpooledPulls } from '../../../schema/pulls.ts'
import { releaseArtifacts } from '../../../schema/release-artifacts.ts'
import {
  describeRepository,
  findRepositorySummaries,
  findRepositorySummary,
  listRepositorySummaries,
  repositoryCreatedAt,
  repositoryNames,
} from '../../../schema/repositories.ts'
import { listing, refused, type Step } from './step.ts'

const ME = 'user:1'
export const app = parseRepositoryName('team/app')
const other = parseRepositoryName('team/other')
const [latest, old, moved] = ['latest', 'old', 'moved'].map(parseTag) as [
  ReturnType<typeof parseTag>,
  ReturnType<typeof parseTag>,
  ReturnType<typeof parseTag>,
]
const numbered = (n: number) => parseDigest(`sha256:${n.toString(16).padStart(64, '0')}`)
const layer = { mediaType: 'application/x', digest: numbered(1), size: 10 }
const HOUR = 3_600_000
const page = { limit: 10, last: 'a' }
const pull = { subject: ME, repository: app, digest: numbered(2), tag: latest, count: 1, first: 1, last: 1 }
const ELSEWHERE = 'b'.repeat(16) as SiteId

/** Manifest `n`: an image with one layer, or an index of others, or what refers to another. */
function manifest(n: number, { children = [], subject }: { children?: readonly number[]; subject?: number } = {}) {
  const named = (each: number) => ({ mediaType: 'application/x', digest: numbered(each), size: 2 })
  return {
    descriptor: { mediaType: 'application/x', digest: numbered(n), size: 2 },
    bytes: new Uint8Array([1, n]),
    parsed: {
      mediaType: 'application/x',
      blobs: children.length > 0 ? [] : [layer],
      manifests: children.map(named),
      ...(subject !== undefined && { subject: named(subject) }),
    },
  }
}

const put = (db: Database, n: number, tags: readonly ReturnType<typeof parseTag>[], more: Parameters<typeof manifest>[1] = {}, name = app) =>
  metadataStore(db).putManifest(name, { ...manifest(n, more), tags }, ME)

async function link(db: Database, name = app): Promise<void> {
  const store = metadataStore(db)
  await store.linkBlob(name, layer, await store.reserveBlob(layer.digest), ME)
}

/** What is pushed, looked at, deleted and collected. */
export const images: readonly Step[] = [
  ['link a blob', (db) => link(db)],
  ['put a manifest', (db) => put(db, 2, [latest])],
  ['move a tag', (db) => put(db, 3, [latest, old])],
  ['put an index', (db) => put(db, 4, [], { children: [2, 3] })],
  ['put what refers to another', (db) => put(db, 5, [], { subject: 3 })],
  ['put what a tag sets beside another', (db) => put(db, 6, [parseTag(`sha256-${'0'.repeat(63)}3.sig`)])],
  ['mount a blob', (db) => metadataStore(db).mountBlob(other, layer.digest, app, ME)],
  ['push to another repository', (db) => put(db, 7, [latest], {}, other)],
  ['read a manifest', (db) => metadataStore(db).getManifest(app, { tag: latest })],
  ['read a manifest by its digest', (db) => metadataStore(db).getManifest(app, { digest: numbered(3) })],
  ['stat a manifest', (db) => metadataStore(db).statManifest(app, { digest: numbered(3) })],
  ['stat a manifest by a tag', (db) => metadataStore(db).statManifest(app, { tag: latest })],
  ['stat a blob', (db) => metadataStore(db).statBlob(app, layer.digest)],
  ['stat a blob that is needed again', (db) => metadataStore(db, 0).statBlob(app, layer.digest)],
  ['list tags', (db) => metadataStore(db).listTags(app, page)],
  ['list referrers', (db) => metadataStore(db).listReferrers(app, numbered(3), { page })],
  ['list referrers of a type', (db) => metadataStore(db).listReferrers(app, numbered(3), { page, artifactType: 'x' })],
  ['list repositories', (db) => metadataStore(db).repositories(page)],
  ['whether a repository is there', (db) => metadataStore(db).repositoryExists(app)],
  ['who has a blob', (db) => metadataStore(db).repositoriesWithBlob(layer.digest, 5)],
  ['begin an upload', (db) => metadataStore(db).createUpload(app, { id: 'u', algorithm: 'sha256' }, ME)],
  ['find an upload', (db) => metadataStore(db).findUpload(app, 'u')],
  [
    'find an upload that is gone on with',
    (db, later) => {
      later(HOUR)
      return metadataStore(db).findUpload(app, 'u')
    },
  ],
  ['abandoned uploads', (db) => listUploadsBefore(db, 5, 10)],
  ['drafts that are no upload', (db) => withoutUpload(db, ['a'])],
  ['end an upload', (db) => metadataStore(db).deleteUpload(app, 'u')],
  ['blobs that are like another', (db) => layersLike(db, app, { digest: numbered(99), size: 10 }, 5)],
  ['repositories of a project', (db) => listRepositorySummaries(db, { projectId: 1 }, listing)],
  [
    'repositories that are searched',
    (db) => findRepositorySummaries(db, { name: { match: 'part', text: 'app' }, visible: { visibleTo: { userId: 1, groups: [1] } } }, 5),
  ],
  ['repositories that are public', (db) => findRepositorySummaries(db, { name: { match: 'part', text: 'app' }, visible: { public: true } }, 5)],
  ['find a repository', (db) => findRepositorySummary(db, app)],
  ['names of repositories', (db) => repositoryNames(db, [1])],
  ['when a repository was made', (db) => repositoryCreatedAt(db, app)],
  ['describe a repository', (db) => describeRepository(db, app, 'words', ME)],
  [
    'artifacts of a repository',
    (db) => listArtifacts(db, { repositoryId: 1 }, { top: true, tagged: true, tag: { match: 'exact', value: 'latest' } }, listing),
  ],
  [
    'artifacts of a project',
    (db) =>
      listArtifacts(
        db,
        { projectId: 1 },
        { top: true, latest: { of: 'media_type', match: { match: 'exact', value: 'x' } }, tag: { match: 'exact', value: 'latest' } },
        listing,
      ),
  ],
  ['find an artifact', (db) => findArtifact(db, app, { tag: latest })],
  ['tags of an artifact', (db) => listTagRows(db, 1, { digest: numbered(3) }, listing)],
  ['add a tag', (db) => addTag(db, app, numbered(3), moved, ME)],
  ['parents of a manifest', (db) => listParents(db, app, numbered(3))],
  ['parts of artifacts', (db) => Promise.all([partsOf(db, [1]), contentsOf(db, [numbered(3)])])],
  ['what is beside an artifact', (db) => Promise.all([listAccessories(db, 1, numbered(3), listing), accessoriesOf(db, 1, [numbered(3)])])],
  ['what holds an artifact', (db) => parentsOf(db, 1, [numbered(3)])],
  ['create a label', (db) => createLabel(db, { name: 'l', description: '', color: '', projectId: 1 }, ME)],
  ['update a label', (db) => updateLabel(db, 1, { name: 'm', description: '', color: '' }, ME)],
  ['find a label', (db) => findLabel(db, 1)],
  ['labels of a project', (db) => listLabels(db, { projectId: 1, name: 'x' }, listing)],
  ['labels of the system', (db) => listLabels(db, { projectId: null, name: 'x' }, listing)],
  ['label an artifact', (db) => addLabel(db, { repository: app, digest: numbered(3) }, 1, ME)],
  ['artifacts with a label', (db) => listArtifacts(db, { projectId: 1 }, { labels: { match: 'any', ids: [1] } }, listing)],
  ['labels of artifacts', (db) => labelsOf(db, [1, 2])],
  ['take a label off', (db) => removeLabel(db, { repository: app, digest: numbered(3) }, 1, ME)],
  ['delete a label', (db) => deleteLabel(db, 1, ME)],
  ['count pulls', (db) => recordPulls(db, [pull])],
  ['take pulls of an edge', (db) => takeSpooledPulls(db, 'e', { spool: 's', number: 1, pulls: [pull], lost: 1 })],
  ['forget old pulls', (db) => forgetPullsBefore(db, 5, 10)],
  [
    'recount a project',
    async (db) => {
      await db.write(({ sql }) => sql.run('UPDATE projects SET storage_used = storage_used + 1 WHERE id = 1'))
      await recountProject(db, 1, ME)
    },
  ],
  [
    'what another site tells of a tag',
    async (db) => {
      const { versions } = metadataStore(db)
      const there = { version: nextVersion(undefined, db.clock.now(), ELSEWHERE), digest: numbered(2) }
      await versions.notice(app, old, there, ME)
      const state = await versions.state(app, old)
      const after = (digest: typeof layer.digest | undefined) => nextVersion(state && { ...state, seen: [], digest }, db.clock.now() + 10, ELSEWHERE)
      await versions.put(app, manifest(3), old, after(numbered(3)), ME)
      await versions.put(app, manifest(2), old, after(numbered(2)), ME)
      await versions.delete(app, old, nextVersion(undefined, db.clock.now() + 20, ELSEWHERE), ME)
      await versions.delete(app, parseTag('never'), { dot: there.version.dot as Dot, context: [] }, ME)
      await put(db, 2, [old])
    },
  ],
  ['tags that were deleted', (db) => listDeletedTags(db, { after: undefined }, 10)],
  ['tags that were deleted, further', (db) => listDeletedTags(db, { after: { repository: app, name: old }, only: app }, 10)],
  ['forget deleted tags', (db) => forgetDeletedTagsBefore(db, db.clock.now() + 1, 10)],
  ['untag', (db) => metadataStore(db).deleteTag(app, moved, ME)],
  [
    'release artifacts',
    async (db) => {
      await releaseArtifacts(db, app, [{ digest: numbered(3), tags: [latest] }], ME)
      await put(db, 20, [old])
      await put(db, 21, [parseTag(`${numbered(20).replace(':', '-')}.sig`)])
      await releaseArtifacts(db, app, [{ digest: numbered(20), tags: [old] }], ME)
    },
  ],
  ['delete a manifest', (db) => metadataStore(db).deleteManifest(app, numbered(4), ME)],
  ['delete one that others refer to', (db) => metadataStore(db).deleteManifest(app, numbered(3), ME)],
  [
    'collect garbage',
    async (db, later) => {
      await put(db, 8, [])
      await put(db, 9, [], {}, other)
      const index = garbageIndex(db, -GRACE_MS)
      const step = { limit: 100 }
      await index.releaseManifests((await index.untagged(step)).items)
      await index.untagged({ ...step, after: '1' })
      for (const name of [app, other]) for (const tag of [latest, old]) await metadataStore(db).deleteTag(name, tag, ME)
      await index.releaseManifests((await index.untagged(step)).items)
      await index.unneeded({ ...step, after: `1 ${layer.digest}` })
      await index.releaseLinks((await index.unneeded(step)).items)
      await index.unknown([layer.digest])
      await index.adopt([{ digest: numbered(77), size: 1 }])
      await index.condemned({ ...step, after: `1 ${layer.digest}` })
      const claim = await index.claim(10)
      later(24 * HOUR)
      await metadataStore(db).reserveBlob(numbered(77))
      await index.settle(
        claim,
        claim.blobs.map(({ digest }) => digest),
      )
    },
  ],
  [
    'unlink a blob',
    async (db) => {
      await link(db)
      await metadataStore(db).unlinkBlob(app, layer.digest, ME)
    },
  ],
  [
    'delete what a rule holds',
    async (db) => {
      const all = [{ pattern: '**', excludes: false }]
      await link(db)
      await put(db, 10, [latest])
      const rule = await createImmutableRule(db, { projectId: 1, disabled: false, priority: 0, repositories: all, tags: all }, ME)
      await refused(metadataStore(db).deleteManifest(app, numbered(10), ME))
      await refused(metadataStore(db).unlinkBlob(app, layer.digest, ME))
      await refused(deleteRepository(db, app, ME))
      await deleteImmutableRule(db, 1, rule, ME)
    },
  ],
  [
    'delete an artifact with what is there for it alone',
    async (db) => {
      await link(db)
      await put(db, 10, [])
      await put(db, 11, [latest], { children: [10] })
      await put(db, 12, [], { subject: 11 })
      await deleteArtifact(db, app, numbered(10), ME)
      await deleteArtifact(db, app, numbered(11), ME)
    },
  ],
  [
    'delete a repository',
    async (db) => {
      await link(db)
      await put(db, 10, [latest])
      await deleteRepository(db, app, ME)
    },
  ],
]
