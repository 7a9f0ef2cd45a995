// How a copy gets by with sending what changed: it compares a blob with those that the destination has.

import { targetFor } from '../delta/chunks.ts'
import type { Deltas } from '../delta/deltas.ts'
import { BASES, DELTA_MIN_BLOB, DELTA_REQUEST_BYTES, ENOUGH_SHARE, WORTHWHILE_SHARE } from '../delta/limits.ts'
import { lengthOf, literalsOf, planDelta, type Step, stepsWithin } from '../delta/plan.ts'
import { emptyStream } from '../empty-stream.ts'
import type { Upload } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import type { Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { both } from './both.ts'

/** Both ends of a copy, where both are sites of ours. */
export interface DeltaEnds {
  readonly source: Deltas
  readonly destination: Deltas
  /** Blobs that the destination's repository has and that may have something in common with this one, the likeliest first. */
  readonly bases: (blob: Descriptor) => Promise<readonly Base[]>
}

export interface DeltaPlan {
  readonly bases: readonly Digest[]
  readonly steps: readonly Step[]
  /** Bytes that need not travel. */
  readonly known: number
}

/** A blob of the destination's repository to compare another with. */
export type Base = Pick<Descriptor, 'digest' | 'size'>

/**
 * undefined: the blob is to be sent whole, because it is small or gzip (which lets one changed byte change all that follow), nothing like it
 * is there, or one of the two does not know how.
 */
export async function planFor(blob: Descriptor, ends: DeltaEnds): Promise<DeltaPlan | undefined> {
  if (blob.size < DELTA_MIN_BLOB || /gzip$/i.test(blob.mediaType)) return undefined
  try {
    const candidates = (await ends.bases(blob)).filter(({ digest }) => digest !== blob.digest).values()
    const target = targetFor(blob.size)
    const next = async () => {
      for (const { digest, size } of candidates) {
        const list = await ends.destination.chunks({ digest, size }, target)
        if (list !== undefined) return { digest, list }
      }
      return undefined
    }
    // Each end reads a whole blob for it: both at once, and another blob only where the likeliest has not nearly all.
    const [wanted, first] = await both(() => ends.source.chunks(blob, target), next)
    if (wanted === undefined || first === undefined) return undefined
    const bases = [first]
    for (;;) {
      const steps = planDelta(
        wanted,
        bases.map(({ list }) => list),
      )
      const known = blob.size - lengthOf(literalsOf(steps))
      const another = known < blob.size * ENOUGH_SHARE && bases.length < BASES ? await next() : undefined
      if (another !== undefined) bases.push(another)
      else return known < blob.size * WORTHWHILE_SHARE ? undefined : { bases: bases.map(({ digest }) => digest), steps, known }
    }
  } catch (error) {
    // Whatever keeps the two from being compared, the blob can still be sent.
    if (error instanceof RegistryError) return undefined
    throw error
  }
}

/** Sends what comes next of the blob, up to DELTA_REQUEST_BYTES of it. `moved` is told of bytes on the wire, `literal` sees those of the blob that travel. */
export async function appendDelta(
  upload: Upload,
  blob: Descriptor,
  { bases, steps }: DeltaPlan,
  ends: DeltaEnds,
  {
    moved,
    passing,
  }: { readonly moved: (bytes: number) => void; readonly passing: (stream: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array> },
): Promise<Upload> {
  const range = { offset: upload.size, length: Math.min(DELTA_REQUEST_BYTES, blob.size - upload.size) }
  const part = stepsWithin(steps, range)
  const ranges = literalsOf(part)
  const literals = ranges.length === 0 ? emptyStream() : await ends.source.read(blob.digest, ranges, moved)
  if (literals === undefined) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `The source has no blob ${blob.digest} any more.`)
  return await ends.destination.append(upload.id, { range, bases, steps: part, literals: passing(literals) }, moved)
}
