import type { Actor, ManifestRecord, TagVersionStore } from '../../registry/metadata-store.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import {
  AHEAD_LIMIT_MS,
  besides,
  compare,
  type Dot,
  dotsOf,
  type HeldTag,
  hasSeen,
  inConflict,
  type TagState,
  type TagVersion,
  timeOf,
} from '../../registry/versions/version.ts'
import { appendAudit } from '../audit/chain.ts'
import { CONFLICT } from '../audit/events.ts'
import { tell } from '../changes.ts'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { addManifest, PUSHED, touch } from './manifests.ts'
import { ensureRepository, findRepository, projectOf } from './repositories.ts'
import { findStanding, markTag, placeTag, type StandingTag, takeTag } from './tags.ts'
import { putTombstone } from './tombstones.ts'

/** How soon a version is offered again that was too far ahead, in seconds: clocks are put right by people. */
const AHEAD_AGAIN_S = 600

/** Tags as other sites know them (docs/decisions/0049-both-ways.md). `watched` wraps what may be refused by a quota. */
export function tagVersions(db: Database, watched: <T>(name: RepositoryName, actor: Actor, work: () => Promise<T>) => Promise<T>): TagVersionStore {
  return {
    state: async (name, tag) => {
      const standing = await findStanding(db.read, await findRepository(db.read, name), name, tag)
      return standing && { version: standing.version, digest: standing.digest }
    },
    put: (name, manifest, tag, version, actor) => watched(name, actor, () => settlePut(db, name, { ...manifest, tags: [tag] }, tag, version, actor)),
    delete: (name, tag, version, actor) => settleDeletion(db, name, tag, version, actor),
    notice: async (name, tag, other, actor) => {
      await db.write(async (connection) => {
        const standing = await findStanding(connection, await findRepository(connection, name), name, tag)
        if (standing !== undefined) await remember(db, connection, name, tag, standing, other, actor)
      })
    },
  }
}

function settlePut(db: Database, name: RepositoryName, manifest: ManifestRecord, tag: Tag, version: TagVersion, actor: Actor): Promise<Dot> {
  refuseAhead(db, version)
  return db.write(async (connection) => {
    const { digest } = manifest.descriptor
    const standing = await findStanding(connection, await findRepository(connection, name), name, tag)
    if (standing !== undefined && !(await gives(db, connection, name, tag, standing, { version, digest }, actor))) return standing.version.dot
    const repository = await ensureRepository(db, connection, name)
    await addManifest(db, connection, repository, manifest, actor)
    const held = heldAfter(standing, version, digest)
    if (standing?.digest === digest) {
      await markTag(db, connection, name, tag, { ...standing, ...held })
      const subject = `${name}:${tag}`
      const same = { before: digest, after: digest, audit: 'silent' as const }
      await tell(db, connection, { actor, kind: 'tag.version', subject, projectId: repository.projectId, ...same })
    } else {
      await placeTag(db, connection, repository, tag, standing, held, actor, PUSHED)
      await touch(db, connection, repository.id)
    }
    return version.dot
  })
}

function settleDeletion(db: Database, name: RepositoryName, tag: Tag, version: TagVersion, actor: Actor): Promise<Dot> {
  refuseAhead(db, version)
  return db.write(async (connection) => {
    const repository = await findRepository(connection, name)
    const standing = await findStanding(connection, repository, name, tag)
    if (standing !== undefined && !(await gives(db, connection, name, tag, standing, { version, digest: undefined }, actor)))
      return standing.version.dot
    const held = heldAfter(standing, version, undefined)
    if (repository !== undefined && standing?.id !== undefined) {
      await takeTag(db, connection, repository, tag, standing, held, actor)
      await touch(db, connection, repository.id)
    } else {
      // Nothing to take away, and yet to be known: what comes later by an older version must not bring it back, nor at a third site.
      await projectOf(connection, name)
      await putTombstone(db, connection, name, tag, held)
    }
    return version.dot
  })
}

/** Whether what stands gives way. Either way a conflict is told of, once. */
async function gives(
  db: Database,
  connection: WriteConnection,
  name: RepositoryName,
  tag: Tag,
  standing: StandingTag,
  given: TagState,
  actor: Actor,
): Promise<boolean> {
  const relation = compare(given, standing)
  if (relation === 'same') return false
  if (relation === 'older') {
    await remember(db, connection, name, tag, standing, given, actor)
    return false
  }
  if (inConflict(given, standing) && !hasSeen(standing, given.version.dot))
    await tellConflict(db, connection, name, tag, { kept: given, lost: standing }, actor)
  return true
}

/** Notes what another site has, where that is new to us. */
async function remember(
  db: Database,
  connection: WriteConnection,
  name: RepositoryName,
  tag: Tag,
  standing: StandingTag,
  other: TagState,
  actor: Actor,
): Promise<void> {
  if (compare(other, standing) === 'same' || hasSeen(standing, other.version.dot)) return
  const newer = compare(other, standing) === 'newer'
  if (inConflict(other, standing)) {
    await tellConflict(db, connection, name, tag, newer ? { kept: other, lost: standing } : { kept: standing, lost: other }, actor)
  }
  // What has not come here, nobody here has seen: only that there was a conflict with it is remembered.
  const before = newer ? [] : other.version.context
  const seen = besides(standing.version, [...dotsOf(standing), other.version.dot, ...before])
  await markTag(db, connection, name, tag, { ...standing, seen })
}

function heldAfter<D extends Digest | undefined>(
  standing: StandingTag | undefined,
  version: TagVersion,
  digest: D,
): HeldTag & { readonly digest: D } {
  return { version, seen: standing === undefined ? [] : besides(version, dotsOf(standing)), digest }
}

async function tellConflict(
  db: Database,
  connection: WriteConnection,
  name: RepositoryName,
  tag: Tag,
  { kept, lost }: { readonly kept: TagState; readonly lost: TagState },
  actor: Actor,
): Promise<void> {
  const said = ({ digest, version }: TagState) => ({ digest: digest ?? 'deleted', version: version.dot })
  await appendAudit(connection, {
    ...CONFLICT,
    time: db.clock.now(),
    actor,
    resource: `${name}:${tag}`,
    projectId: await projectOf(connection, name),
    succeeded: true,
    count: 1,
    detail: JSON.stringify({ kept: said(kept), lost: said(lost) }),
  })
}

function refuseAhead(db: Database, { dot }: TagVersion): void {
  const ahead = timeOf(dot) - db.clock.now()
  if (ahead <= AHEAD_LIMIT_MS) return
  const hours = Math.round(ahead / 3_600_000)
  throw new RegistryError(
    'UNAVAILABLE',
    `The tag was set ${hours} hours ahead of this site's clock, more than is believed. Put the clocks right, at the site it was pushed to or here.`,
    { version: dot, limitMs: AHEAD_LIMIT_MS },
    { headers: { 'Retry-After': String(AHEAD_AGAIN_S) } },
  )
}
