import type { JWK } from 'jose'
import type { FeedEntry } from '../../mesh/feed.ts'
import { numberOf } from '../../policy/subjects.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { Change } from '../../schema/changes.ts'

/** What must be looked up to say what a change means for edges. */
export interface Lookups {
  /** undefined: the project is gone, and the feed says so itself. */
  projectName(id: number): Promise<string | undefined>
  /** The public keys that are published now. */
  keys(): Promise<readonly JWK[]>
  /** The proxy caches of this endpoint. */
  projectsOfEndpoint(id: number): Promise<readonly { readonly id: number; readonly name: string }[]>
}

/** A change as far as edges need to know of it: most changes are nothing to them. */
export async function entriesOf(change: Change, lookups: Lookups): Promise<FeedEntry[]> {
  const { seq, kind, subject, projectId } = change
  switch (kind) {
    case 'project.created':
    case 'project.updated':
    case 'project.deleted':
      return projectId === null
        ? []
        : [
            { kind: 'project', seq, projectId, name: subject },
            { kind: 'mirrors', seq },
          ]
    case 'member.created':
    case 'member.updated':
    case 'member.deleted': {
      const name = projectId === null ? undefined : await lookups.projectName(projectId)
      return projectId === null || name === undefined ? [] : [{ kind: 'project', seq, projectId, name }]
    }
    case 'endpoint.created':
    case 'endpoint.updated':
    case 'endpoint.deleted': {
      const projects = await lookups.projectsOfEndpoint(numberOf(subject))
      return [...projects.map(({ id, name }): FeedEntry => ({ kind: 'project', seq, projectId: id, name })), { kind: 'mirrors', seq }]
    }
    case 'user.created':
    case 'user.updated':
    case 'user.deleted':
    case 'robot.created':
    case 'robot.updated':
    case 'robot.deleted':
      return [{ kind: 'principal', seq, id: subject }]
    case 'key.created':
    case 'key.deleted':
      return [{ kind: 'keys', seq, keys: await lookups.keys() }]
    case 'tag.set':
    case 'tag.deleted': {
      const { repository, rest: tag } = split(subject, ':')
      return [{ kind: 'tag', seq, repository, tag, digest: kind === 'tag.set' ? (change.after as Digest | null) : null }]
    }
    case 'manifest.deleted': {
      const { repository, rest } = split(subject, '@')
      return [{ kind: 'manifest-deleted', seq, repository, digest: rest as Digest }]
    }
    case 'blob.unlinked': {
      const { repository, rest } = split(subject, '@')
      return [{ kind: 'blob-deleted', seq, repository, digest: rest as Digest }]
    }
    case 'repository.deleted':
      return [{ kind: 'repository-deleted', seq, repository: subject }]
    case 'edge.enrolled':
    case 'edge.revoked':
    case 'edge.drained':
    case 'edge.undrained':
    case 'edge.moved':
      return [{ kind: 'edges', seq }]
    default:
      return []
  }
}

/** Neither names nor tags hold a `:` or an `@`. */
function split(subject: string, mark: ':' | '@'): { readonly repository: string; readonly rest: string } {
  const at = subject.indexOf(mark)
  return { repository: subject.slice(0, at), rest: subject.slice(at + 1) }
}
