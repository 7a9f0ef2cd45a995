// What an origin signs for its edges. Pure shapes; signing is in signing.ts.

import type { JWK } from 'jose'
import type { Principal, ProjectFacts } from '../policy/facts.ts'
import type { UpstreamRules } from '../policy/upstream-rules.ts'

/** One project's facts. `version` is the feed's sequence at which they were read: a later one is newer. */
export interface ProjectDocument {
  readonly type: 'project'
  readonly version: number
  /** Milliseconds since the epoch, by the origin's clock. */
  readonly issuedAt: number
  readonly facts: ProjectFacts
  /** Present for a proxy cache: where its images come from. */
  readonly upstream?: UpstreamFacts
  /** Of a proxy cache: how long edges believe its tags, in the words of the project's `tag-leases`; absent: by their looks. */
  readonly tagLeases?: string
  /** Of a proxy cache: what it lets through. */
  readonly rules?: UpstreamRules
  /** What edges fetch as soon as it is pushed. */
  readonly warming?: WarmingRules
  /** For how long an edge that has lost its origin goes on with this project; absent: as long as the edge's own grace. */
  readonly grace?: ProjectGrace
}

export interface ProjectGrace {
  /** Milliseconds; absent: as long as the edge allows, which is the most in any case. */
  readonly ms?: number
  /** What is public stays so after the grace, for everybody. */
  readonly publicAfterwards: boolean
}

/** What edges fetch before anybody asks for it. */
export interface WarmingRules {
  /** `repository[:tag]` without the project, as in upstream rules: `web/*:v*`. */
  readonly patterns: readonly string[]
  /** Names of edges; empty: all of them. */
  readonly edges: readonly string[]
  /** `linux/amd64`, `linux/arm64/v8`; empty: every platform that is there. */
  readonly platforms: readonly string[]
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
  /** With credentials: whose they are, in a word that is the same for all projects that use them. */
  readonly login?: string
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

/** What edges need to know of all projects at once: which proxy caches stand for which registries, and where something is to be fetched ahead. */
export interface MirrorsDocument {
  readonly type: 'mirrors'
  readonly version: number
  readonly issuedAt: number
  /** By the registry's host (`docker.io`, `quay.io`, `registry.example.com:5000`), the projects that stand for it, the first choice first. */
  readonly hosts: Readonly<Record<string, readonly string[]>>
  /** The projects with warming rules. */
  readonly warmed: readonly string[]
}

/** An edge as other edges, and whoever sends clients to it, know it. */
export interface KnownEdge {
  readonly id: string
  readonly name: string
  readonly region: string
  /** Where clients and neighbours reach it. */
  readonly url: string
  /** What its requests are signed with. */
  readonly publicKey: JWK
  /** It is to be left alone: whoever asks it gets an answer, and nobody is sent there. */
  readonly draining?: true
}

/** The edges that are members now, in the order of their names. */
export interface EdgesDocument {
  readonly type: 'edges'
  readonly version: number
  readonly issuedAt: number
  readonly edges: readonly KnownEdge[]
}

export type PolicyDocument = ProjectDocument | PrincipalDocument | MirrorsDocument | EdgesDocument
