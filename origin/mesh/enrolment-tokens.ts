import { randomBytes } from 'node:crypto'
import { createEnrolmentToken, listEdges, revokeEdge } from '../../schema/edges.ts'
import type { OriginServices } from '../services.ts'
import { enrolmentTokenHash } from './enrol.ts'
import { EDGES_PAGE, ENROLMENT_MS } from './limits.ts'

export interface EnrolmentTokenRequest {
  readonly name: string
  readonly region: string
  /** Revoke an edge that has the name now: for an edge whose key is lost, and which only this caller can be. */
  readonly replace: boolean
}

const SYSTEM = 'system'

/** A one-time token for the edge that this very process is about to start. */
export async function enrolmentTokenFor({ db, clock }: Pick<OriginServices, 'db' | 'clock'>, request: EnrolmentTokenRequest): Promise<string> {
  const { name, region, replace } = request
  if (replace) {
    const edges = await listEdges(db, { limit: EDGES_PAGE, last: undefined, revoked: false })
    for (const edge of edges) if (edge.name === name) await revokeEdge(db, edge.id, SYSTEM)
  }
  const token = randomBytes(32).toString('base64url')
  await createEnrolmentToken(db, { hash: enrolmentTokenHash(token), name, region, expiresAt: clock.now() + ENROLMENT_MS, creator: SYSTEM })
  return token
}
