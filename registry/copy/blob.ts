import type { Repository } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { RegistryError } from '../spec/errors.ts'
import { MOUNT_CANDIDATES, SMALL_BLOB } from './limits.ts'
import type { CopyProgress } from './options.ts'
import type { CopyRun } from './run.ts'
import { sendWhole } from './small.ts'
import { isWorthAnother, Transfer } from './transfer.ts'

/** Tells of a blob: where it is, and how many of its bytes are there. */
export type TellOfBlob = (step: Extract<CopyProgress, { kind: 'blob' }>['step'], done: number) => void

/** Moves one blob, if the destination does not have it: by a mount where that can be, else from where an earlier copy broke off. */
export async function moveBlob(source: Repository, destination: Repository, blob: Descriptor, run: CopyRun): Promise<void> {
  const { digest, size } = blob
  const tell: TellOfBlob = (step, done) => run.options.onProgress?.({ kind: 'blob', step, digest, done, size })
  const isOurs = await run.together.once(digest, () => bring(source, destination, blob, run, tell))
  if (isOurs) return
  run.signal.throwIfAborted()
  run.skipped++
  tell('present', size)
}

async function bring(source: Repository, destination: Repository, blob: Descriptor, run: CopyRun, tell: TellOfBlob): Promise<void> {
  const { digest, size } = blob
  const standing = await run.turn(() =>
    run.at(`looking for the blob ${digest}`, async () => {
      // A mount tells as well as a look whether it is there.
      if (await mount(source, destination, blob, run)) return 'mounted'
      return (await destination.blobs.stat(digest)) ? 'present' : undefined
    }),
  )
  if (standing === 'present') {
    run.skipped++
    return tell('present', size)
  }
  run.copied++
  if (standing === 'mounted') {
    run.mounted++
    run.options.onStep?.('blob mounted')
    return tell('mounted', size)
  }
  const moving = <T>(work: () => Promise<T>) => run.at(`moving the blob ${digest}`, work)
  if (size <= SMALL_BLOB) await run.turn(() => moving(() => moveSmall(source, destination, blob, run, tell)))
  else await run.travel(() => moving(() => new Transfer(source, destination, blob, run, tell).move()))
  tell('done', size)
}

async function mount(source: Repository, destination: Repository, { digest }: Descriptor, { options }: CopyRun): Promise<boolean> {
  const candidates = ((await options.mountFrom?.(digest)) ?? []).filter((from) => from !== destination.name)
  // A manifest may name what its repository does not have: whoever pushed it must not get at it by a copy.
  if (candidates.length === 0 || !(await source.blobs.stat(digest))) return false
  for (const from of candidates.slice(0, MOUNT_CANDIDATES)) {
    if (await destination.uploads.mount(digest, from)) return true
  }
  return false
}

/** In one request where the destination takes that, else as any blob. */
async function moveSmall(source: Repository, destination: Repository, blob: Descriptor, run: CopyRun, tell: TellOfBlob): Promise<void> {
  const transfer = new Transfer(source, destination, blob, run, tell)
  if (await transfer.isUnderWay()) return await transfer.move()
  let begun: Awaited<ReturnType<typeof sendWhole>>
  try {
    begun = await sendWhole(source, destination, blob, run, tell)
  } catch (error) {
    run.signal.throwIfAborted()
    if (!(error instanceof RegistryError) || !isWorthAnother(error)) throw error
    begun = 'not taken'
  }
  if (begun === 'done') run.options.onStep?.('blob finished')
  else await transfer.move(begun === 'not taken' ? undefined : begun)
}
