// What a blob kept in slices looks like in an object store: where it is cut, how its slices are named, and the two small records about them.

import { z } from 'zod'
import { RegistryError } from '../registry/spec/errors.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** The lengths of the first slices: small, so that whoever follows can start soon. All later ones have LARGE. */
const FIRST = [256 * KIB, 512 * KIB, MIB, 2 * MIB, 4 * MIB]
const LARGE = 8 * MIB

/** Where the slice that `offset` lies in ends, by the rule of 256K, 512K, 1M, 2M, 4M, 8M, 8M…: a function of the index alone. */
export function borderAfter(offset: number): number {
  let border = 0
  for (const length of FIRST) {
    border += length
    if (offset < border) return border
  }
  return border + (Math.floor((offset - border) / LARGE) + 1) * LARGE
}

/** One object that holds a part of a blob. */
export interface SliceReference {
  readonly key: string
  readonly offset: number
  readonly length: number
}

/** Slices that one writer made: where each begins. Each ends where the next one begins, the last at the next run or at the size. */
const runs = z.array(z.object({ writer: z.string(), cuts: z.array(z.int().nonnegative()) }))

const indexSchema = z.object({ unique: z.string(), size: z.int().nonnegative(), runs })

/** `blobs/<algorithm>/<hex>`: that a blob exists, and where its bytes are. */
export type BlobIndex = z.infer<typeof indexSchema>

const markerSchema = indexSchema.extend({
  writer: z.string(),
  committing: z.string().optional(),
})

/**
 * `drafts/<id>`: that there are slices under `slices/<unique>/` which need not be a blob's. It is there before the first of them and goes after the last.
 * What `runs` tell of is settled; beyond `size` only slices of `writer` count, so nothing that an earlier writer still had under way when it was
 * given up can come in later. `committing` is the digest it was about to become: if that blob's index names the same `unique`, the slices are the blob's.
 */
export type DraftMarker = z.infer<typeof markerSchema>

export function encodeRecord(record: BlobIndex | DraftMarker): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record))
}

export function parseIndex(bytes: Uint8Array): BlobIndex {
  return parse(indexSchema, bytes)
}

export function parseMarker(bytes: Uint8Array): DraftMarker {
  return parse(markerSchema, bytes)
}

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  try {
    return schema.parse(JSON.parse(new TextDecoder().decode(bytes)))
  } catch (error) {
    throw new RegistryError('UNKNOWN', 'The store holds a record that cannot be read.', undefined, { cause: error })
  }
}

export function slicePrefix(unique: string): string {
  return `slices/${unique}/`
}

export function sliceKey(unique: string, offset: number, writer: string): string {
  return `${slicePrefix(unique)}${hexOffset(offset)}-${writer}`
}

/** 16 hexadecimal digits, so that keys sort as offsets do. */
export function hexOffset(offset: number): string {
  return offset.toString(16).padStart(16, '0')
}

export function parseSliceKey(key: string): { readonly offset: number; readonly writer: string } | undefined {
  const match = key.match(/\/([0-9a-f]{16})-([^/]+)$/)
  return match?.[1] === undefined || match[2] === undefined ? undefined : { offset: Number.parseInt(match[1], 16), writer: match[2] }
}

/** The slices an index or a marker tells of. */
export function slicesOf({ unique, size, runs }: BlobIndex): SliceReference[] {
  const starts = runs.flatMap(({ writer, cuts }) => cuts.map((offset) => ({ writer, offset })))
  return starts.map(({ writer, offset }, index) => ({
    key: sliceKey(unique, offset, writer),
    offset,
    length: (starts[index + 1]?.offset ?? size) - offset,
  }))
}

/** The other way: what to write down about slices that follow one another from 0. */
export function runsOf(slices: readonly SliceReference[]): BlobIndex['runs'] {
  const runs: BlobIndex['runs'] = []
  for (const { key, offset } of slices) {
    const writer = parseSliceKey(key)?.writer ?? ''
    const run = runs.at(-1)
    if (run?.writer === writer) run.cuts.push(offset)
    else runs.push({ writer, cuts: [offset] })
  }
  return runs
}
