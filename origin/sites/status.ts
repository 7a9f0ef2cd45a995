import { steady } from '../../registry/clock.ts'
import { MIRRORED } from '../../schema/mirror/treatment.ts'
import type { SitesRoom } from './open.ts'
import type { Rejoining } from './rejoin.ts'

/** What a pair of sites looks like from here. Times in seconds. */
export interface DrStatus {
  readonly site: string
  readonly role: 'alone' | 'primary' | 'standby' | 'fenced'
  readonly epoch: number
  readonly peer: { readonly name: string; readonly url: string; readonly heard_seconds_ago: number | null } | null
  /** How old the oldest acknowledged change is that the standby does not have. At a standby whose primary is silent: at most. null: there is no standby. */
  readonly rpo_seconds: number | null
  /** `filling`: the standby does not have everything yet; `following`: it could take over. */
  readonly state: 'unpaired' | 'waiting' | 'filling' | 'following' | 'fenced'
  readonly filled: { readonly tables: number; readonly of: number } | null
  readonly reached: number
  readonly when_standby_is_away: 'stop' | 'continue' | null
  readonly lease_seconds: number | null
  /** At a primary: for how much longer it writes without a word of its standby. */
  readonly lease_left_seconds: number | null
  readonly takes_writes: boolean
  /** At a site that comes back: what only it had, so far. */
  readonly rejoining: { readonly state: Rejoining['state']; readonly quarantined_artifacts: number; readonly quarantined_bytes: number } | null
  readonly problem: string | null
}

export async function statusOf(
  { standing, source, clock }: Pick<SitesRoom, 'standing' | 'source' | 'clock'>,
  rejoining?: Rejoining,
): Promise<DrStatus> {
  const { pair, peer, role, contact, lease } = standing
  const silence = contact.heardAt === undefined ? undefined : steady(clock) - contact.heardAt
  const filling = pair?.filling
  return {
    site: pair?.self.name ?? '',
    role,
    epoch: standing.epoch,
    peer: peer === undefined ? null : { name: peer.name, url: peer.url, heard_seconds_ago: silence === undefined ? null : seconds(silence) },
    rpo_seconds: await rpo(),
    state: stateOf(),
    filled: filling === undefined ? null : { tables: filling.done, of: MIRRORED.length },
    reached: role === 'primary' ? source.reached : standing.reached,
    when_standby_is_away: pair?.away ?? null,
    lease_seconds: pair === undefined ? null : pair.leaseMs / 1000,
    lease_left_seconds: role === 'primary' && pair?.guarded === true ? seconds(Math.max(0, lease.left)) : null,
    takes_writes: standing.writing() === undefined,
    rejoining:
      rejoining === undefined ? null : { state: rejoining.state, quarantined_artifacts: rejoining.artifacts, quarantined_bytes: rejoining.bytes },
    problem: problem() ?? null,
  }

  function problem(): string | undefined {
    const refusal = standing.writing()?.message
    if (role === 'fenced') return rejoining?.problem?.message ?? refusal
    if (role !== 'primary') return contact.problem ?? refusal
    const stuck = contact.stuck && `The standby ${peer?.name} takes nothing in of what is written here: ${contact.stuck}`
    return refusal === undefined || stuck === undefined ? (refusal ?? stuck) : `${refusal} Its last word: ${stuck}`
  }

  async function rpo(): Promise<number | null> {
    if (role === 'primary') return pair?.mirroring === true ? seconds(await source.behindMs()) : null
    if (role !== 'standby' || filling !== undefined) return null
    // As long as it was heard a moment ago, nothing is later than what it said.
    const unknown = silence === undefined || silence > HEARD_LATELY_MS ? (silence ?? 0) : 0
    return seconds(contact.behindMs + unknown)
  }

  function stateOf(): DrStatus['state'] {
    if (role === 'fenced') return 'fenced'
    if (peer === undefined) return 'unpaired'
    if (role === 'standby') return filling === undefined ? 'following' : 'filling'
    if (pair?.mirroring !== true) return 'waiting'
    return pair.guarded ? 'following' : 'filling'
  }
}

/** A standby asks at least once in this time. */
const HEARD_LATELY_MS = 3_000

const seconds = (ms: number) => Math.round(ms) / 1000
