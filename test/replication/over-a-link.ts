import { expect } from 'vitest'
import { Random } from '../chaos/run/random.ts'
import type { AtollProcess } from '../support/atoll.ts'
import { type PushTarget, pushImage, randomImage, type TestImage } from '../support/images.ts'
import type { Cut, CutLink, Direction } from './cut-link.ts'
import { atollJson, type Execution, taskLogs } from './sites.ts'

const MIB = 1024 * 1024
const LAYERS = [20 * MIB + 7, 28 * MIB, 20 * MIB + 12_345, 28 * MIB + 1]
/** So that what is on its way at a cut is what would be on a link, not all that a machine can hold. */
const BYTES_PER_SECOND = 48 * MIB

export const CUTS = 20

const seed = Number(process.env.ATOLL_CUTS_SEED ?? Date.now() % 1_000_000)

/** An image with a few large layers. */
export interface LargeImage {
  readonly image: TestImage
  /** Of its blobs, in bytes. */
  readonly size: number
}

export async function pushLargeImage(target: PushTarget): Promise<LargeImage> {
  const image = randomImage({ layers: LAYERS })
  await pushImage(target, image, '1')
  return { image, size: image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0) }
}

/** CUTS random places in `size` bytes. */
export function randomCuts(name: string, size: number): Cut[] {
  const random = new Random(seed, name)
  return Array.from({ length: CUTS }, () => ({
    at: random.between(1, size),
    kind: random.one(['closed', 'reset'] as const),
    refused: random.between(0, 2),
  }))
}

/** Runs a rule of this site to its good end over the link, and gives bytes moved by bytes missing. */
export async function ratioOf(
  site: AtollProcess,
  rule: string,
  link: CutLink,
  { direction, size, cuts }: { readonly direction: Direction; readonly size: number; readonly cuts: readonly Cut[] },
): Promise<number> {
  link.bytesPerSecond = BYTES_PER_SECOND
  link.reset(direction, cuts)
  const execution = await atollJson<Execution>(site, 'replicate', 'run', rule, '--wait')
  expect(execution.status, `seed ${seed}\n${await taskLogs(site, execution.id)}`).toBe('Succeed')
  const moved = link.carried[direction]
  const ratio = moved / size
  process.stdout.write(`seed ${seed}, ${rule}: ${link.cuts} cuts, ${moved} bytes for ${size}: ${ratio.toFixed(5)}\n`)
  expect(link.cuts, `seed ${seed}`).toBe(cuts.length)
  return ratio
}

/** Every byte, by plain requests. `get` gives what is under an address below the repository. */
export async function expectWhole({ image }: LargeImage, get: (path: string) => Promise<Buffer>): Promise<void> {
  for (const { digest, bytes } of image.blobs) expect((await get(`blobs/${digest}`)).equals(bytes), digest).toBe(true)
  expect((await get('manifests/1')).equals(image.manifest.bytes)).toBe(true)
}
