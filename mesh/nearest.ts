// Sending clients to an edge near them: which one, how, and what they show it.

import { type Digest, isDigest } from '../registry/spec/digests.ts'
import type { KnownEdge } from './documents.ts'
import { homeOf } from './home.ts'
import { covers, type TokenAccess } from './tokens.ts'

/**
 * The edge for a place, which is an edge's name or a region. Of a region's edges each digest has its own, so that it is fetched there once.
 * undefined: none of these is meant.
 */
export function nearestOf<E extends Pick<KnownEdge, 'id' | 'name' | 'region'>>(edges: readonly E[], place: string, digest: Digest): E | undefined {
  return (
    edges.find(({ name }) => name === place) ??
    homeOf(
      digest,
      edges.filter(({ region }) => region === place),
    )
  )
}

/** Those that were seen to follow a blob to another host; curl, for one, does not without being told. */
const FOLLOWERS =
  /^(?:docker|moby|buildkit|containerd|nerdctl|skopeo|podman|buildah|cri-o|containers|crane|ko|go-containerregistry|regclient|regctl|oras|helm|cosign|kaniko)\b/i

/** Whether a client goes on at another host when a blob's answer says so. */
export function followsRedirects(userAgent: string | null): boolean {
  return userAgent !== null && FOLLOWERS.test(userAgent)
}

/** The parameter of a blob's address that says who asks: clients do not show their tokens to another host. */
export const TICKET_PARAMETER = 'ticket'
const TYPE = 'blob'

/** What a ticket is good for: this blob of this repository, and as a token for nothing. */
export function ticketAccess(repository: string, digest: Digest): TokenAccess {
  return { type: TYPE, name: `${repository}@${digest}`, actions: ['pull'] }
}

export function isTicketFor(access: readonly TokenAccess[], repository: string, digest: string): boolean {
  return isDigest(digest) && covers(access, { type: TYPE, name: `${repository}@${digest}`, action: 'pull' })
}
