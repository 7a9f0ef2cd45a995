import type { Manifest, Repository } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import type { Digest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { type ParsedManifest, parseManifest, referrerDescriptor } from '../spec/manifests.ts'
import { DOCKER_LIST, isNonDistributable, OCI_INDEX } from '../spec/media-types.ts'
import { type Reference, referenceText, type Tag } from '../spec/names.ts'
import { moveBlob } from './blob.ts'
import type { CopyOptions, CopyReport, KeptTag } from './options.ts'
import { addToReferrersTag } from './referrers-tag.ts'
import { CopyRun } from './run.ts'

const REFERRERS_PAGE = 100
/** What buildx gives as the platform of what is for none: attestations, which say by an annotation what they are about. */
const UNKNOWN = 'unknown'
const ABOUT = 'vnd.docker.reference.digest'
/** With what a registry refuses an index without some of its parts. */
const REFUSALS: ReadonlySet<string> = new Set(['MANIFEST_BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'MANIFEST_INVALID', 'BLOB_UNKNOWN'])

/**
 * Copies one artifact from a repository to another: bottom up, so that nothing is visible before what it refers to, and only what
 * the destination does not have. The tag comes last. Broken off anywhere, the next copy goes on.
 *
 * If the tag is that artifact at the destination already, nothing is written (with `referrers`, those that are new still come). Where `override` is
 * false a tag that is another artifact there stays so, and what only it would have named does not travel.
 * @throws RegistryError MANIFEST_UNKNOWN (the source has it not, or not all of it), and whatever source and destination throw; the signal's reason
 */
export async function copy(source: Repository, destination: Repository, reference: Reference, options: CopyOptions): Promise<CopyReport> {
  const run = new CopyRun(options)
  return run.whole(() => new ArtifactCopy(source, destination, run).copy(reference))
}

/** Copies what refers to an artifact that the destination has, or to a part of it, and is not there yet. @throws as `copy` does */
export async function copyReferrers(source: Repository, destination: Repository, artifact: Descriptor, options: CopyOptions): Promise<CopyReport> {
  const run = new CopyRun(options)
  return run.whole(() => new ArtifactCopy(source, destination, run).referrers(artifact))
}

class ArtifactCopy {
  readonly #source: Repository
  readonly #destination: Repository
  readonly #run: CopyRun
  /** What is needed more than once: indexes, and what was read by its tag. */
  readonly #kept = new Map<Digest, Manifest>()

  constructor(source: Repository, destination: Repository, run: CopyRun) {
    this.#source = source
    this.#destination = destination
    this.#run = run
  }

  async copy(reference: Reference): Promise<CopyReport> {
    const run = this.#run
    const { options } = run
    const wanted = options.tags ?? (reference.tag === undefined ? [] : [reference.tag])
    const standing = new Map<Tag, Digest | undefined>()
    for (const tag of wanted) standing.set(tag, await this.#digestAt(tag))
    const isNew = wanted.length > 0 && [...standing.values()].every((digest) => digest === undefined)
    // What will have to be read is not looked at before.
    const { manifests } = this.#source
    const [whole, head] = await run.at(`reading the manifest of ${referenceText(reference)}`, async () => {
      const read = isNew ? await manifests.get(reference) : undefined
      return [read, read ?? (isNew ? undefined : await manifests.stat(reference))]
    })
    if (!head) throw unknown(`The source has no ${this.#source.name}:${referenceText(reference)}.`)
    options.onStep?.('tag read')
    // From here on the digest counts: a tag that moves meanwhile is the next copy's.
    const { digest } = head.descriptor
    if (whole) this.#kept.set(digest, whole)
    const tags = this.#tagsToSet(standing, digest)
    if (tags.kept.length > 0 && tags.kept.length === tags.wanted) return run.report(digest, { kept: tags.kept })
    const there = tags.wanted > 0 && tags.missing.length === 0
    if (there) run.skipped++
    const referrers = options.referrers ? await this.#referrersOf(head.descriptor) : []
    const outcome = { kept: tags.kept, referrers: digestsOf(referrers) }
    if (there) {
      await this.#fill(head.descriptor, referrers)
      return run.report(digest, outcome)
    }
    const last = options.putLast ?? this.#tagging(tags.missing)
    // With a single put for both, a manifest and its tag appear together. Referrers must follow the one and precede the other.
    const together = referrers.length === 0
    if (!(await this.#manifest(head.descriptor, together ? last : undefined)))
      throw unknown(`The source has no ${this.#source.name}@${digest} any more.`)
    await this.#bring(referrers)
    if (!together) await run.at(`putting the manifest ${digest}`, async () => last?.(await this.#read(head.descriptor)))
    for (const tag of tags.missing) options.onProgress?.({ kind: 'tag', step: 'done', tag, digest })
    return run.report(digest, outcome)
  }

  /** What refers to an artifact that the destination has. */
  async referrers(artifact: Descriptor): Promise<CopyReport> {
    const { digest } = artifact
    this.#run.skipped++
    const referrers = await this.#referrersOf(artifact)
    await this.#fill(artifact, referrers)
    return this.#run.report(digest, { referrers: digestsOf(referrers) })
  }

  /** Brings what is missing of an artifact that the destination has: what refers to it, and of an index parts that it came without. */
  async #fill(artifact: Descriptor, referrers: readonly Descriptor[]): Promise<void> {
    const { isAllThere } = this.#run.options
    // Without anybody who knows, an index that is there counts as whole.
    const mayLackParts = isAllThere !== undefined && isIndex(artifact.mediaType)
    if (referrers.length === 0 && !mayLackParts) return
    if (await isAllThere?.(artifact.digest, digestsOf(referrers))) return
    if (mayLackParts) await this.#parts(parse(await this.#read(artifact)))
    await this.#bring(referrers)
  }

  async #bring(referrers: readonly Descriptor[]): Promise<void> {
    for (const referrer of referrers) {
      await this.#child(referrer)
      this.#run.options.onStep?.('referrer copied')
    }
  }

  #tagsToSet(
    standing: ReadonlyMap<Tag, Digest | undefined>,
    digest: Digest,
  ): { readonly wanted: number; readonly missing: readonly Tag[]; readonly kept: readonly KeptTag[] } {
    const missing: Tag[] = []
    const kept: KeptTag[] = []
    for (const [tag, present] of standing) {
      if (present === digest) this.#run.options.onProgress?.({ kind: 'tag', step: 'present', tag, digest })
      else if (present !== undefined && this.#run.options.override === false) kept.push({ tag, digest: present })
      else missing.push(tag)
    }
    return { wanted: standing.size, missing, kept }
  }

  /** What the tag is at the destination; and that what it refers to is there, as far as that is known, is remembered. */
  async #digestAt(tag: Tag): Promise<Digest | undefined> {
    const { together, options } = this.#run
    const digest = (await this.#run.turn(() => this.#isThere({ tag }, `the tag ${tag}`)))?.descriptor.digest
    if (digest === undefined || together.knows(digest)) return digest
    together.know(digest)
    const whole = await options.whatIsWhole?.(tag, digest)
    if (whole) await this.#learn(parse(whole))
    return digest
  }

  #isThere(reference: Reference, what: string) {
    return this.#run.at(`looking for ${what}`, () => this.#destination.manifests.stat(reference))
  }

  async #learn({ manifests, blobs }: ParsedManifest): Promise<void> {
    const { together } = this.#run
    for (const blob of blobs.filter(isWanted)) together.know(blob.digest)
    for (const child of this.#wanted({ manifests })) {
      const manifest = await this.#get(child.digest)
      if (manifest === undefined) continue
      together.know(child.digest)
      await this.#learn(parse(manifest))
    }
  }

  #tagging(tags: readonly Tag[]): ((manifest: Manifest) => Promise<void>) | undefined {
    return tags.length === 0 ? undefined : (manifest) => this.#put(manifest, tags)
  }

  /** A manifest after everything it refers to. `last` puts it, also when it was there. False: the source does not have it. */
  async #manifest({ digest, mediaType }: Descriptor, last?: (manifest: Manifest) => Promise<void>): Promise<boolean> {
    const run = this.#run
    // What is put in any case is not asked for.
    const present = run.together.knows(digest) || (last === undefined && (await run.turn(() => this.#isThere({ digest }, `the manifest ${digest}`))))
    if (present) {
      run.together.know(digest)
      run.skipped++
      run.options.onProgress?.({ kind: 'manifest', step: 'present', digest, mediaType })
      // An image cannot be there without its layers. An index can: it may have come when the source did not have all its children.
      if (last === undefined && !isIndex(mediaType)) return true
    }
    const manifest = await run.turn(() => this.#get(digest))
    if (!manifest) return false
    run.options.onStep?.('manifest read')
    const parsed = parse(manifest)
    await this.#parts(parsed)
    if (!present)
      await run.each(parsed.blobs.filter(isWanted), (blob) => run.once(blob.digest, () => moveBlob(this.#source, this.#destination, blob, run)))
    if (last || !present)
      await run.at(`putting the manifest ${digest}`, () => this.#whole(parsed, () => (last ? last(manifest) : this.#put(manifest, []))))
    if (!present) {
      run.together.know(digest)
      run.copied++
      run.options.onProgress?.({ kind: 'manifest', step: 'done', digest, mediaType })
    }
    return true
  }

  #parts(index: ParsedManifest): Promise<void> {
    return this.#run.each(this.#wanted(index), (child) => this.#child(child))
  }

  /** The parts of an index that are to be at the destination: those for a platform that is wanted or for none, and what tells of them. */
  #wanted({ manifests }: Pick<ParsedManifest, 'manifests'>): readonly Descriptor[] {
    const { platforms } = this.#run.options
    if (platforms === undefined) return manifests
    const isLeftOut = ({ platform }: Descriptor) => platform !== undefined && platform.os !== UNKNOWN && !platforms(platform)
    const leftOut = new Set<string>(manifests.filter(isLeftOut).map(({ digest }) => digest))
    return manifests.filter((child) => !leftOut.has(child.digest) && !leftOut.has(child.annotations?.[ABOUT] ?? ''))
  }

  /** Puts a manifest. Of an index without some of its parts it says what a destination may have against it. */
  async #whole(parsed: ParsedManifest, put: () => Promise<void>): Promise<void> {
    try {
      await put()
    } catch (error) {
      const isSparse = this.#wanted(parsed).length < parsed.manifests.length
      if (!isSparse || !(error instanceof RegistryError) || !REFUSALS.has(error.code)) throw error
      throw new RegistryError(
        'UNSUPPORTED',
        `The destination takes no index without all its parts (${error.message}). Copy all platforms there, or to a registry that takes sparse indexes.`,
        error.detail,
        { cause: error },
      )
    }
  }

  #child(child: Descriptor): Promise<void> {
    return this.#run.once(child.digest, async () => {
      const run = this.#run
      const { digest, mediaType } = child
      if (await this.#manifest(child)) return
      if (run.options.missingChildren !== 'skip') throw unknown(`The source has no manifest ${digest}, though another refers to it.`)
      run.missing.add(digest)
      run.options.onProgress?.({ kind: 'manifest', step: 'missing', digest, mediaType })
    })
  }

  /** What refers to an artifact or to a part of it, and what refers to that, each behind what it refers to. */
  async #referrersOf(artifact: Descriptor): Promise<readonly Descriptor[]> {
    const found = new Map<Digest, Descriptor>()
    const seen = new Set<Digest>()
    const visit = async ({ digest, mediaType }: Descriptor): Promise<void> => {
      if (seen.has(digest)) return
      seen.add(digest)
      for await (const referrer of this.#listed(digest)) {
        if (!found.has(referrer.digest)) found.set(referrer.digest, referrer)
        await visit(referrer)
      }
      const index = isIndex(mediaType) ? await this.#run.turn(() => this.#get(digest)) : undefined
      for (const child of index ? this.#wanted(parse(index)) : []) await visit(child)
    }
    await visit(artifact)
    return [...found.values()]
  }

  async *#listed(subject: Digest): AsyncGenerator<Descriptor> {
    for (let last: string | undefined; ; ) {
      const page = { limit: REFERRERS_PAGE, ...(last !== undefined && { last }) }
      const { items, more } = await this.#run.turn(() =>
        this.#run.at(`listing what refers to ${subject}`, () => this.#source.referrers.list(subject, { page })),
      )
      yield* items
      last = items.at(-1)?.digest
      if (!more || last === undefined) return
    }
  }

  /** An index is read once: what refers to its children is looked for before it is copied. */
  async #get(digest: Digest): Promise<Manifest | undefined> {
    const known = this.#kept.get(digest)
    if (known) return known
    const manifest = await this.#run.at(`reading the manifest ${digest}`, () => this.#source.manifests.get({ digest }))
    if (manifest && isIndex(manifest.descriptor.mediaType)) this.#kept.set(digest, manifest)
    return manifest
  }

  async #read({ digest }: Descriptor): Promise<Manifest> {
    const manifest = await this.#run.turn(() => this.#get(digest))
    if (!manifest) throw unknown(`The source has no manifest ${digest} any more.`)
    return manifest
  }

  async #put({ bytes, descriptor }: Manifest, tags: readonly Tag[]): Promise<void> {
    const { mediaType, digest } = descriptor
    const receipt = await this.#run.turn(() => this.#destination.manifests.put({ bytes, mediaType, digest, tags }))
    this.#run.options.onStep?.(tags.length > 0 ? 'tag put' : 'manifest put')
    const parsed = parseManifest(bytes, mediaType)
    if (parsed.subject && receipt.subject === undefined) {
      // It does not list referrers by itself: then whoever pushes them does (distribution-spec, "Unavailable Referrers API").
      await addToReferrersTag(this.#destination, parsed.subject.digest, referrerDescriptor(parsed, descriptor), (key, work) =>
        this.#run.together.inOrder(key, work),
      )
    }
  }
}

function parse(manifest: Manifest): ParsedManifest {
  return parseManifest(manifest.bytes, manifest.descriptor.mediaType)
}

function digestsOf(descriptors: readonly Descriptor[]): Digest[] {
  return descriptors.map(({ digest }) => digest)
}

function isIndex(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_LIST
}

function isWanted({ mediaType }: Descriptor): boolean {
  return !isNonDistributable(mediaType)
}

function unknown(message: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', message)
}
