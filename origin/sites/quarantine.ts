import type { QuarantineAnswer, QuarantineRequest } from '../../mesh/sites.ts'
import { SITES, type SiteCard } from '../../mesh/sites.ts'
import { copy } from '../../registry/copy.ts'
import type { Registry } from '../../registry/registry.ts'
import { bearerAuthorizer } from '../../registry/remote/authorizer.ts'
import { RemoteRegistry } from '../../registry/remote/index.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { isRepositoryName, parseRepositoryName, parseTag, type RepositoryName } from '../../registry/spec/names.ts'
import { artifactsOnlyHere, rowsOnlyHere } from '../../schema/mirror/only-here.ts'
import { createProject, findProjectByName } from '../../schema/projects.ts'
import { firstAdministrator } from '../../schema/users.ts'
import { QUARANTINED_ROWS, TOKEN_REUSE_MS } from './limits.ts'
import type { SitesRoom } from './open.ts'
import { withoutSecrets } from './seals.ts'

/** At the new primary: the project for what only the other site had, and the right to push one repository of it. */
export async function openQuarantine(room: SitesRoom, { repository }: QuarantineRequest): Promise<QuarantineAnswer> {
  const { db, standing, pushToken, steps } = room
  if (standing.role !== 'primary' || standing.peer === undefined) throw new RegistryError('UNAVAILABLE', 'This site is not the primary.')
  const project = `quarantine-${standing.peer.name}-${standing.epoch}`
  const name = `${project}/${repository}`
  if (!isRepositoryName(name)) throw new RegistryError('NAME_INVALID', `${name} is no name of a repository.`)
  if ((await findProjectByName(db, project)) === undefined) {
    await createProject(db, { name: project, ownerId: await firstAdministrator(db), public: false }, 'system')
    steps('quarantine: project made')
  }
  return { repository: name, token: await pushToken(name, repository) }
}

export interface Quarantined {
  artifacts: number
  bytes: number
}

/**
 * At the old primary: everything that was written here after `after`, and so only here, goes to a project of the new one. Broken off, it is done
 * again: what is there is not sent twice.
 */
export async function quarantine(room: SitesRoom, peer: SiteCard, after: number, done: Quarantined): Promise<void> {
  const { db, local, steps } = room
  for await (const { repository, digest, tags } of artifactsOnlyHere(db, after)) {
    const opened = await openAtPeer(room, peer, repository)
    const report = await copy(
      local.repository(repository),
      opened.registry.repository(opened.name),
      { digest },
      {
        createHasher: room.createHasher,
        tags,
        missingChildren: 'skip',
        // What the new primary has anyway does not travel.
        mountFrom: async () => [repository],
        clock: room.clock,
      },
    )
    done.artifacts++
    done.bytes += report.bytes
    steps('quarantine: artifact stored')
  }
  await quarantineRows(room, peer, after)
}

/** What is no artifact (users, members, policies, tags that went) goes along as lines of JSON, for a person to read. No secret is among them. */
async function quarantineRows(room: SitesRoom, peer: SiteCard, after: number): Promise<void> {
  const { db, standing, createHasher, steps } = room
  const { rows, more } = await rowsOnlyHere(db, after, QUARANTINED_ROWS)
  if (rows.length === 0) return
  const lines = rows.map(({ kind, name, row }) => JSON.stringify({ kind, table: name, row: withoutSecrets(name, row) }))
  if (more) lines.push(JSON.stringify({ kind: 'more', limit: QUARANTINED_ROWS }))
  const bytes = new TextEncoder().encode(`${lines.join('\n')}\n`)
  const opened = await openAtPeer(room, peer, parseRepositoryName('changes'))
  const repository = opened.registry.repository(opened.name)
  const put = async (content: Uint8Array, mediaType: string) => {
    const hasher = createHasher('sha256')
    hasher.update(content)
    const digest = hasher.digest()
    if ((await repository.blobs.stat(digest)) === undefined) {
      const upload = await repository.uploads.begin()
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(content)
          controller.close()
        },
      })
      const { id } = await repository.uploads.append(upload.id, stream, { offset: 0, length: content.byteLength })
      await repository.uploads.finish(id, digest)
    }
    return { mediaType, digest, size: content.byteLength }
  }
  const config = await put(new TextEncoder().encode('{}'), 'application/vnd.oci.empty.v1+json')
  const layer = await put(bytes, 'application/vnd.atoll.rows.v1+jsonl')
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType: 'application/vnd.atoll.rows.v1', config, layers: [layer] }
  await repository.manifests.put({
    bytes: new TextEncoder().encode(JSON.stringify(manifest)),
    mediaType: OCI_MANIFEST,
    tags: [parseTag(`epoch-${standing.epoch}`)],
  })
  steps('quarantine: rows stored')
}

async function openAtPeer(
  room: SitesRoom,
  peer: SiteCard,
  repository: RepositoryName,
): Promise<{ readonly registry: Registry; readonly name: RepositoryName }> {
  const { talk, fetch, clock, createHasher, log } = room
  const ask = async () => (await talk.ask<QuarantineAnswer>(peer, SITES.quarantine, { repository })).body
  let answer = await ask()
  let at = clock.now()
  const token = async () => {
    if (clock.now() - at > TOKEN_REUSE_MS) {
      at = clock.now()
      answer = await ask()
    }
    return answer.token
  }
  const remote = new RemoteRegistry({ url: new URL(peer.url), fetch, clock, createHasher, log, authorizer: bearerAuthorizer(token) })
  return { registry: remote.with(), name: parseRepositoryName(answer.repository) }
}
