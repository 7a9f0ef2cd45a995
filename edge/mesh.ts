import type { OriginClient } from './origin-client.ts'
import type { Facts } from './snapshot.ts'

/** What the rest of an edge has of its connection with the origin. In Node all of it is in the process; in a Worker, isolates ask its Link. */
export interface Mesh {
  readonly facts: Facts
  /** Signs as this edge; has the origin's keys and time. */
  readonly origin: OriginClient
  /** Resolves when what the feed said until at most a second ago is acted on here. Requests wait for it. */
  settle(): Promise<void>
  status(): MeshStatus
}

/** Whether the origin is heard. */
export type Heard = Pick<Mesh, 'settle' | 'status'>

export interface MeshStatus {
  /** `connected`: the feed was heard in the last two seconds. `revoked`: the origin does not know this edge any more. */
  readonly state: 'enrolling' | 'connected' | 'disconnected' | 'revoked'
  /** Milliseconds since the origin last confirmed what this edge knows; null: it never has. */
  readonly lag: number | null
  /** How far the feed has been followed. */
  readonly cursor: number
  /** The unbroken run of the feed that this is. What was cached in another one is not believed. */
  readonly run: number
}
