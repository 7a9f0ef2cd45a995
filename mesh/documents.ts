// What an origin signs for its edges. Pure shapes; signing is in signing.ts.

import type { Principal, ProjectFacts } from '../policy/facts.ts'

/** One project's facts. `version` is the feed's sequence at which they were read: a later one is newer. */
export interface ProjectDocument {
  readonly type: 'project'
  readonly version: number
  /** Milliseconds since the epoch, by the origin's clock. */
  readonly issuedAt: number
  readonly facts: ProjectFacts
  /** Present for a proxy cache: where its images come from. */
  readonly upstream?: UpstreamFacts
}

export interface UpstreamFacts {
  /** Harbor's name for its kind: `docker-hub`, `quay`, `docker-registry`, `harbor`, … */
  readonly kind: string
  readonly url: string
  /** Whether the endpoint's certificate must be right. */
  readonly verifyTls: boolean
  /**
   * `anonymous`: the edge asks for itself. `origin`: the endpoint has credentials, which stay at the origin; the edge asks the
   * origin for short tokens of the upstream (POST /mesh/upstream-tokens) and gets `401` back where the upstream only knows passwords:
   * it then pulls that repository through the origin.
   */
  readonly credentials: 'anonymous' | 'origin'
}

/** One principal's facts, by id. */
export interface PrincipalDocument {
  readonly type: 'principal'
  readonly version: number
  readonly issuedAt: number
  readonly facts: Principal
  /** Goes up with each new secret: tokens that were given for an older one are good no more. */
  readonly credentialVersion: number
}

export type PolicyDocument = ProjectDocument | PrincipalDocument
