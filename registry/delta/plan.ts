// What must travel of a blob, and what the destination can take from blobs that it has. Pure.

import type { ByteRange } from '../spec/ranges.ts'
import type { ChunkList } from './chunks.ts'
import { COPY_MIN } from './limits.ts'

/** The next bytes of the new blob. */
export type Step =
  /** Are these of a blob that is there: the one at `base` in the list of bases. */
  | { readonly kind: 'copy'; readonly base: number; readonly offset: number; readonly length: number }
  /** Are those at this place of the new blob itself, and travel. */
  | { readonly kind: 'literal'; readonly offset: number; readonly length: number }

/** Steps that make the wanted blob, in order and without a gap; neighbours are one step where they can be. */
export function planDelta(wanted: ChunkList, bases: readonly ChunkList[]): readonly Step[] {
  const known = firstPlaces(bases)
  const steps: Step[] = []
  let next: Place | undefined
  for (const [index, id] of wanted.ids.entries()) {
    const offset = wanted.offsets[index] ?? 0
    const length = (wanted.offsets[index + 1] ?? offset) - offset
    // What goes on where the last copy ended is one run with it, though the same chunk may stand elsewhere too.
    const place: Place | undefined = next && bases[next.base]?.ids[next.index] === id ? next : known.get(id)
    const from = place && bases[place.base]?.offsets[place.index]
    if (place === undefined || from === undefined) add(steps, { kind: 'literal', offset, length })
    else add(steps, { kind: 'copy', base: place.base, offset: from, length })
    next = place && { base: place.base, index: place.index + 1 }
  }
  // The last chunk of a blob may be a short one.
  return withoutCrumbs(steps)
}

/** The steps for this part of the blob. */
export function stepsWithin(steps: readonly Step[], { offset, length }: ByteRange): readonly Step[] {
  const within: Step[] = []
  let at = 0
  for (const step of steps) {
    const from = Math.max(offset - at, 0)
    const to = Math.min(offset + length - at, step.length)
    if (from < to) within.push({ ...step, offset: step.offset + from, length: to - from })
    at += step.length
  }
  // A copy that was cut may have become too short to be told of.
  return withoutCrumbs(within, offset)
}

/** Where the literals are in the new blob. */
export function literalsOf(steps: readonly Step[]): readonly ByteRange[] {
  return steps.filter((step) => step.kind === 'literal').map(({ offset, length }) => ({ offset, length }))
}

export function lengthOf(steps: readonly Pick<Step, 'length'>[]): number {
  return steps.reduce((sum, { length }) => sum + length, 0)
}

interface Place {
  readonly base: number
  readonly index: number
}

function firstPlaces(bases: readonly ChunkList[]): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>()
  for (const [base, { ids }] of bases.entries()) {
    for (const [index, id] of ids.entries()) if (!places.has(id)) places.set(id, { base, index })
  }
  return places
}

function add(steps: Step[], step: Step): void {
  const last = steps.at(-1)
  const goesOn =
    last !== undefined &&
    last.kind === step.kind &&
    last.offset + last.length === step.offset &&
    (last.kind === 'literal' || step.kind === 'literal' || last.base === step.base)
  if (goesOn) steps[steps.length - 1] = { ...last, length: last.length + step.length }
  else steps.push(step)
}

/** A copy that is not worth telling travels. `steps` begin at `offset` of the blob. */
function withoutCrumbs(steps: readonly Step[], offset = 0): readonly Step[] {
  const kept: Step[] = []
  let at = offset
  for (const step of steps) {
    add(kept, step.kind === 'copy' && step.length < COPY_MIN ? { kind: 'literal', offset: at, length: step.length } : step)
    at += step.length
  }
  return kept
}
