import { matchesWord } from '../../policy/globs.ts'
import { type Clock, steady } from '../../registry/clock.ts'
import type { ObjectEntry, ObjectStore } from '../../registry/object-store.ts'
import { PULL_THROUGH_LIMITS } from '../../registry/pull-through/limits.ts'
import { Records } from '../../registry/pull-through/records.ts'
import { type Digest, isDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseManifest } from '../../registry/spec/manifests.ts'
import { isRepositoryName, isTag, type RepositoryName } from '../../registry/spec/names.ts'
import type { Page } from '../../registry/spec/pages.ts'
import { PAGE, PINS_MS, PINS_REST } from './limits.ts'

/** What must stay in the cache: repositories by pattern, all of each or what some tags point at. */
export interface Pin {
  /** As somebody wrote it. */
  readonly text: string
  readonly repository: (name: string) => boolean
  /** undefined: everything that is known of the repository. */
  readonly tag: ((tag: string) => boolean) | undefined
}

const NO_MEMORY = { ...PULL_THROUGH_LIMITS, tagsInMemory: 0, linksInMemory: 0, manifestBytesInMemory: 0 }

/** `library/*`, `team/app:v*`: a star stands for any characters, also for `/`, and `?` for one; without a colon, all of the repository is meant. */
export function parsePin(text: string): Pin {
  const colon = text.indexOf(':')
  const [repositories, tags] = colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)]
  return {
    text,
    repository: (name) => matchesWord(repositories, name),
    tag: tags === undefined ? undefined : (tag) => matchesWord(tags, tag),
  }
}

/** The blobs that the pins cover, by what the records know of tags and manifests. */
export class PinnedBlobs {
  readonly #pins: readonly Pin[]
  readonly #records: ObjectStore
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>
  #known: ReadonlySet<Digest> = new Set()
  /** When it was worked out, and how long that took. */
  #at = Number.NEGATIVE_INFINITY
  #took = 0
  /** Whether something of a pinned repository has come since. */
  #stale = false

  constructor(pins: readonly Pin[], records: ObjectStore, clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#pins = pins
    this.#records = records
    this.#clock = clock
  }

  /**
   * Worked out anew when it is older than PINS_MS, for other processes may write records, too; and when something of a pinned repository has been
   * written here since, but in no more than a tenth of the time.
   */
  async blobs(): Promise<ReadonlySet<Digest>> {
    const age = steady(this.#clock) - this.#at
    if (this.#pins.length === 0 || age < (this.#stale ? PINS_REST * this.#took : PINS_MS)) return this.#known
    this.#stale = false
    const began = steady(this.#clock)
    const blobs = new Set<Digest>()
    for (const kind of RECORDS_OF_PINS) {
      for (let last: string | undefined; ; ) {
        const page = await pinnedOnPage(this.#pins, this.#records, kind, { limit: PAGE, ...(last !== undefined && { last }) })
        for (const digest of page.blobs) blobs.add(digest)
        last = page.last
        if (last === undefined) break
      }
    }
    this.#known = blobs
    this.#at = steady(this.#clock)
    this.#took = this.#at - began
    return blobs
  }

  /** The same records, for whoever writes them. */
  watched(records: ObjectStore): ObjectStore {
    const note = (key: string) => {
      this.#stale ||= recordName({ key }).some(({ repository }) => this.#pins.some((pin) => pin.repository(repository)))
    }
    return {
      get: (key, range) => records.get(key, range),
      stat: (key) => records.stat(key),
      delete: (keys) => records.delete(keys),
      list: (prefix, page) => records.list(prefix, page),
      async put(key, body) {
        await records.put(key, body)
        note(key)
      },
      async putIfAbsent(key, body) {
        const put = await records.putIfAbsent(key, body)
        note(key)
        return put
      },
    }
  }
}

/** The records that say what the pins cover: tags for pins of tags, links for those of all of a repository. */
export const RECORDS_OF_PINS = ['tags', 'links'] as const

/** What the pins cover of one page of the records. `last` undefined: there are no further pages of this kind. */
export async function pinnedOnPage(
  pins: readonly Pin[],
  records: ObjectStore,
  kind: (typeof RECORDS_OF_PINS)[number],
  page: Page,
): Promise<{ readonly blobs: ReadonlySet<Digest>; readonly last: string | undefined }> {
  const blobs = new Set<Digest>()
  const whole = pins.filter(({ tag }) => tag === undefined)
  if (kind === 'links' && whole.length === 0) return { blobs, last: undefined }
  const { items, more } = await records.list(`${kind}/`, page)
  for (const { source, repository, name } of items.flatMap(recordName)) {
    if (kind === 'links') {
      if (isDigest(name) && whole.some((pin) => pin.repository(repository))) blobs.add(name)
      continue
    }
    if (!isTag(name) || !pins.some((pin) => pin.repository(repository) && (pin.tag?.(name) ?? true))) continue
    const of = new Records(records, source, NO_MEMORY)
    const lease = await of.lease(repository, name)
    if (lease !== undefined) await closure(of, repository, lease.descriptor.digest, blobs)
  }
  return { blobs, last: more ? items.at(-1)?.key : undefined }
}

/** What a manifest needs, as far as its parts have been here. */
async function closure(records: Records, repository: RepositoryName, digest: Digest, blobs: Set<Digest>, seen = new Set<Digest>()): Promise<void> {
  if (seen.has(digest)) return
  seen.add(digest)
  const manifest = await records.manifest(repository, digest)
  if (manifest === undefined) return
  try {
    const parsed = parseManifest(manifest.bytes, manifest.descriptor.mediaType)
    for (const blob of parsed.blobs) blobs.add(blob.digest)
    for (const child of parsed.manifests) await closure(records, repository, child.digest, blobs, seen)
  } catch (error) {
    // A document that is no manifest names nothing.
    if (!(error instanceof RegistryError)) throw error
  }
}

interface RecordName {
  readonly source: string
  readonly repository: RepositoryName
  readonly name: string
}

/** Records are at `<kind>/<source>/<repository>/@/<name>`. */
function recordName({ key }: Pick<ObjectEntry, 'key'>): RecordName[] {
  const [, source, repository, name] = /^[^/]+\/([^/]+)\/(.+)\/@\/([^/]+)$/.exec(key) ?? []
  if (source === undefined || repository === undefined || name === undefined || !isRepositoryName(repository)) return []
  return [{ source, repository, name }]
}
