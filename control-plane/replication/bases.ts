import type { Base, DeltaEnds } from '../../registry/copy/delta.ts'
import type { Blobs } from '../../registry/registry.ts'
import { layersLike } from '../../schema/layers.ts'
import { DELTA_CANDIDATES, DELTA_QUESTIONS } from '../limits.ts'
import type { CopyWork } from './work.ts'

/** Two sites of ours send only what changed inside a blob; what was pushed here last tells with what to compare it. */
export function deltaBetween(work: CopyWork, there: Pick<Blobs, 'stat'>, actor: string): { delta: DeltaEnds } | undefined {
  const { db, payload, policy, source, destination, signal, together, mayHaveBases } = work
  if (!mayHaveBases) return undefined
  const ends = {
    source: source.deltas(payload.repository, signal, actor),
    destination: destination.deltas(payload.destination, signal, actor, { pushes: true }),
  }
  if (ends.source === undefined || ends.destination === undefined) return undefined
  const ours = policy.sourceEndpointId === null ? payload.repository : payload.destination
  const bases = async (blob: Base): Promise<readonly Base[]> => {
    const like = await layersLike(db, ours, blob, DELTA_CANDIDATES)
    const known = like.filter(({ digest }) => together.knows(digest))
    if (known.length > 0) return known
    const asked = like.slice(0, DELTA_QUESTIONS)
    const found = await Promise.all(asked.map(({ digest }) => there.stat(digest)))
    return asked.filter((_, at) => found[at] !== undefined)
  }
  return { delta: { source: ends.source, destination: ends.destination, bases } }
}
