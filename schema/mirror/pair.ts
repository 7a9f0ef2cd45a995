import { eq } from 'drizzle-orm'
import type { JWK } from 'jose'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { sitePair } from '../tables/sites.ts'

/**
 * `primary`: it takes writes. `standby`: it takes rows from its primary, and nothing else. `fenced`: it was the primary, and another site
 * is now; it takes nothing until an administrator has it rejoin.
 */
export type SiteRole = 'primary' | 'standby' | 'fenced'

/** One half of a pair, as the other knows it. */
export interface SiteIdentity {
  readonly id: string
  readonly name: string
  /** Where the other half, edges and clients reach it. */
  readonly url: string
  /** What it signs with (Ed25519), and what is sealed for it (X25519). */
  readonly signing: JWK
  readonly encryption: JWK
}

/** How far a standby is in taking everything over; then it follows the log. */
export interface Filling {
  /** Tables that are complete, and the last key of the one that is being filled. */
  readonly done: number
  readonly after: readonly (string | number)[] | undefined
  /** It is whole once it has the log up to here; undefined: rows are still to come. */
  readonly wholeAt: number | undefined
}

export interface SitePair {
  readonly self: SiteIdentity
  /** The private halves of the keys of `self`, sealed by the caller. */
  readonly sealedKeys: string
  readonly role: SiteRole
  /** Goes up with each promotion: of two sites that both say they are the primary, the one with the higher epoch is. */
  readonly epoch: number
  /** undefined: an invitation was made, and nobody has taken it; or the pair has ended. */
  readonly peer: SiteIdentity | undefined
  /** The other half of a pair that has ended, which may not have heard of it. */
  readonly former: SiteIdentity | undefined
  /** The keys of other sites, this one's peer among them, for secrets of robots that are robots here; sealed by the caller. */
  readonly sealedPeerKeys: readonly string[]
  /** A one-time token, hashed. */
  readonly invitation: { readonly hash: string; readonly expiresAt: number } | undefined
  /** `iss` of tokens at both sites, so that what one signs is good at the other. */
  readonly issuer: string
  /** What a primary does when its lease has ended because its standby is away. */
  readonly away: 'stop' | 'continue'
  /** How long after its standby's last word a primary takes writes, in milliseconds. */
  readonly leaseMs: number
  /** At a primary: whether what is written is logged for the peer. */
  readonly mirroring: boolean
  /** At a primary: whether its standby could take over, so that nothing is written without its word. */
  readonly guarded: boolean
  /** At a standby that is not whole. */
  readonly filling: Filling | undefined
  /** Where the log of the primary before stood when this one took over: what is after that, only the primary before has. */
  readonly tookOverAt: number | undefined
  /** Whether the peer knows that this site has taken over. */
  readonly peerFenced: boolean
}

export interface KeptPair {
  readonly pair: SitePair
  /** See the table. */
  readonly reached: number
}

const ROW = 1

/** undefined: this site has never been one of two. */
export async function readPair(db: Pick<Database, 'read'>): Promise<KeptPair | undefined> {
  return await db.read.sql.select({ pair: sitePair.pair, reached: sitePair.reached }).from(sitePair).where(eq(sitePair.id, ROW)).get()
}

/** Writes it, and `reached` if given. For functions of this room. */
export async function putPair(connection: WriteConnection, pair: SitePair, now: number, reached?: number): Promise<void> {
  await connection.sql
    .insert(sitePair)
    .values({ id: ROW, pair, reached: reached ?? 0, updatedAt: now })
    .onConflictDoUpdate({ target: sitePair.id, set: { pair, updatedAt: now, ...(reached !== undefined && { reached }) } })
}

export async function putReached(connection: WriteConnection, reached: number, now: number): Promise<void> {
  await connection.sql.update(sitePair).set({ reached, updatedAt: now }).where(eq(sitePair.id, ROW))
}

export async function savePair(db: Database, pair: SitePair, reached?: number): Promise<void> {
  await db.writeLocal((connection) => putPair(connection, pair, db.clock.now(), reached))
}
