import type { Manifest } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import type { RepositoryName, Tag } from '../spec/names.ts'
import { type Context, keyOf } from './context.ts'

/** A push of a tag that is under way. */
interface OpenPush {
  readonly key: string
  /** What the source has said of the tag since; undefined: nothing. */
  heard: Digest | null | undefined
  /** Forgetting what was known, because of that. */
  forgetting: Promise<void> | undefined
}

/** What was pushed to the source through us, kept as if it had been pulled. News that overtakes the source's answer counts more than the answer. */
export class Pushed {
  readonly #context: Context
  readonly #forgetTag: (repository: RepositoryName, tag: Tag) => Promise<void>
  readonly #spoil: (key: string) => Promise<void>
  readonly #open = new Set<OpenPush>()

  constructor(
    context: Context,
    parts: { readonly forgetTag: (repository: RepositoryName, tag: Tag) => Promise<void>; readonly spoil: (key: string) => Promise<void> },
  ) {
    this.#context = context
    this.#forgetTag = parts.forgetTag
    this.#spoil = parts.spoil
  }

  /** `send` pushes or mounts a blob and says how large it is; undefined: the source did not take it, or its size is not known. */
  async blob(repository: RepositoryName, digest: Digest, send: () => Promise<number | undefined>): Promise<void> {
    const { guard, records, negatives } = this.#context
    const key = keyOf(repository, digest)
    await guard.run(key, async (ticket) => {
      const size = await send()
      negatives.delete(key)
      if (size !== undefined) await ticket.keep(() => records.keepLink(repository, digest, size))
    })
  }

  /** `send` pushes the manifest under these tags; false: the source did not take it. */
  async manifest(repository: RepositoryName, manifest: Manifest, tags: readonly Tag[], send: () => Promise<boolean>): Promise<void> {
    const { guard, records, named, negatives } = this.#context
    const { digest } = manifest.descriptor
    const key = keyOf(repository, digest)
    const pushes = tags.map((tag): OpenPush & { tag: Tag } => ({ tag, key: keyOf(repository, tag), heard: undefined, forgetting: undefined }))
    for (const push of pushes) this.#open.add(push)
    try {
      await guard.run(key, async (ticket) => {
        if (!(await send())) return
        negatives.delete(key)
        named.note(repository, manifest)
        if (!(await ticket.keep(() => records.keepManifest(repository, manifest)))) return
        for (const push of pushes) await this.#lease(repository, push.tag, manifest, push)
      })
    } finally {
      for (const push of pushes) this.#open.delete(push)
    }
  }

  /** The tag points at `digest` now; null: it is gone. What we know to be so already is kept. */
  async tagMoved(repository: RepositoryName, tag: Tag, digest: Digest | null): Promise<void> {
    const key = keyOf(repository, tag)
    const forgetting = this.#forget(repository, tag, digest)
    for (const push of this.#open) {
      if (push.key === key) Object.assign(push, { heard: digest, forgetting })
    }
    await forgetting
  }

  async #forget(repository: RepositoryName, tag: Tag, digest: Digest | null): Promise<void> {
    const lease = await this.#context.records.lease(repository, tag)
    // An answer that was asked for before may still be on its way.
    if (digest !== null && lease?.descriptor.digest === digest) await this.#spoil(keyOf(repository, tag))
    else await this.#forgetTag(repository, tag)
  }

  async #lease(repository: RepositoryName, tag: Tag, { descriptor }: Manifest, push: OpenPush): Promise<void> {
    const { clock, guard, records } = this.#context
    await this.#spoil(push.key)
    for (let waiting = push.forgetting; waiting !== undefined; waiting = push.forgetting) {
      push.forgetting = undefined
      await waiting
    }
    if (push.heard !== undefined && push.heard !== descriptor.digest) return
    const { mediaType, digest, size } = descriptor
    const lease = { descriptor: { mediaType, digest, size }, fetchedAt: clock.now() }
    await guard.run(push.key, (ticket) => ticket.keep(() => records.keepLease(repository, tag, lease)))
  }
}
