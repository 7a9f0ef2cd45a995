import { decodeJwt } from 'jose'
import { LRUCache } from 'lru-cache'
import { neighbourTarget, verifyRequest } from '../../mesh/signing.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { NEIGHBOUR_PROOFS } from '../limits.ts'
import type { Mesh } from '../mesh.ts'
import type { OriginClient } from '../origin-client.ts'

const PROOF = /^atoll-edge ([\w-]+\.[\w-]+\.[\w-]+)$/i

interface GuestsMesh {
  readonly facts: Mesh['facts']
  readonly origin: Pick<OriginClient, 'member' | 'now'>
}

/** Lets in the requests of other edges: those that the origin's document names, each with a proof for this one request to this one edge. */
export class Guests {
  readonly #mesh: GuestsMesh
  readonly #used = new LRUCache<string, true>({ max: NEIGHBOUR_PROOFS })

  constructor(mesh: GuestsMesh) {
    this.#mesh = mesh
  }

  /** Whether the request says that it comes from an edge. Nothing is believed yet. */
  static claims(request: Request): boolean {
    return /^atoll-edge /i.test(request.headers.get('Authorization') ?? '')
  }

  /** @throws RegistryError UNAUTHORIZED when it does not; UNAVAILABLE when it cannot be said who is an edge */
  async admit(request: Request): Promise<void> {
    const { facts, origin } = this.#mesh
    const proof = PROOF.exec(request.headers.get('Authorization') ?? '')?.[1]
    const issuer = proof === undefined ? undefined : issuerOf(proof)
    const { enrolment } = origin.member
    const edge = issuer === undefined ? undefined : (await facts.edges())?.edges.find(({ id }) => id === issuer)
    if (proof === undefined || edge === undefined) throw notProven()
    let nonce: string
    try {
      const url = neighbourTarget(enrolment.id, new URL(request.url)).href
      nonce = await verifyRequest(proof, { method: request.method, url }, edge, origin.now())
    } catch (cause) {
      throw notProven(cause)
    }
    const used = `${edge.id} ${nonce}`
    if (this.#used.has(used)) throw notProven()
    this.#used.set(used, true)
  }
}

function notProven(cause?: unknown): RegistryError {
  return new RegistryError(
    'UNAUTHORIZED',
    'This does not prove that it comes from another edge of this origin, now, and for the first time.',
    undefined,
    {
      cause,
    },
  )
}

function issuerOf(proof: string): string | undefined {
  try {
    return decodeJwt(proof).iss
  } catch {
    return undefined
  }
}
