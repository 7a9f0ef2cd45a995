import type { z } from '@hono/zod-openapi'
import PQueue from 'p-queue'
import type { BlobStore } from '../../registry/blob-store.ts'
import type { Descriptor } from '../../registry/spec/descriptors.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { parseManifest } from '../../registry/spec/manifests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { type Accessory as AccessoryRow, accessoriesOf, parentsOf } from '../../schema/accessories.ts'
import { isIndex } from '../../schema/artifact-kind.ts'
import { contentsOf, partsOf } from '../../schema/artifact-parts.ts'
import type { Artifact as Row } from '../../schema/artifacts.ts'
import type { Database } from '../../schema/database.ts'
import { immutability } from '../../schema/immutable-rules.ts'
import { labelsOf } from '../../schema/labels.ts'
import { isSignature, showAccessory } from './accessory-shapes.ts'
import type { Configs } from './artifact-blobs.ts'
import { type Artifact, showArtifact, showTag } from './artifact-shapes.ts'
import { showLabel } from './label.ts'
import { CONFIGS_AT_ONCE, CONFIGS_PAGE } from './limits.ts'

/** What an answer holds besides the artifact itself. */
export interface Details {
  readonly tags: boolean
  readonly labels: boolean
  readonly immutable: boolean
  readonly accessories: boolean
  readonly inherited: boolean
}

/** As clients ask: tags come unless they say no, everything else if they say yes. */
export function detailsOf(query: Readonly<Record<string, unknown>>): Details {
  return {
    tags: query.with_tag !== false,
    labels: query.with_label === true,
    immutable: query.with_immutable_status === true,
    accessories: query.with_accessory === true,
    inherited: query.with_inherited_accessory === true,
  }
}

export interface ArtifactAnswersOptions {
  readonly db: Database
  readonly blobs: Pick<BlobStore, 'open' | 'bytes'>
  readonly configs: Configs
}

/** Artifacts as the API shows them: whatever the number of rows, each table is asked once for a repository. */
export class ArtifactAnswers {
  readonly #options: ArtifactAnswersOptions

  constructor(options: ArtifactAnswersOptions) {
    this.#options = options
  }

  /** Rows of one repository, in their order. */
  async ofRepository(rows: readonly Row[], name: RepositoryName, details: Details): Promise<z.infer<typeof Artifact>[]> {
    const [first] = rows
    if (first === undefined) return []
    const { db } = this.#options
    const ids = rows.map(({ id }) => id)
    const parts = await partsOf(db, ids)
    const descriptors = await this.#children(rows)
    const labels = details.labels ? await labelsOf(db, ids) : undefined
    const accessories = details.accessories ? await accessoriesOf(db, first.repositoryId, digestsOf(rows)) : undefined
    const inherited = details.inherited ? await this.#inherited(rows, first.repositoryId) : undefined
    const isImmutable = details.tags ? await immutability(db.read, { projectId: first.projectId, name }) : undefined
    const configs = await this.#configs(rows, (row) => parts(row.id).config)
    return rows.map((row) =>
      showArtifact(row, name, {
        children: parts(row.id).children.map((child) => ({ ...child, descriptor: descriptors.get(row.digest)?.get(child.digest) })),
        config: configs.get(row.id),
        tags: details.tags ? row.tags.map((tag) => showTag(tag, row.id, isImmutable?.(tag.name) ?? false)) : undefined,
        labels: labels && (labels.get(row.id) ?? []).map(showLabel),
        accessories: accessories && (accessories.get(row.digest) ?? []).map((each) => showAccessory(each, name)),
        inherited: inherited && (inherited.get(row.digest) ?? []).map((each) => showAccessory(each, name)),
      }),
    )
  }

  /** Rows of several repositories, in their order. */
  async ofProject(rows: readonly Row[], names: ReadonlyMap<number, RepositoryName>, details: Details): Promise<z.infer<typeof Artifact>[]> {
    const shown = new Map<number, z.infer<typeof Artifact>>()
    for (const [repositoryId, held] of Map.groupBy(rows, (row) => row.repositoryId)) {
      const name = names.get(repositoryId)
      // Its repository has gone since the rows were read, and they with it.
      if (name === undefined) continue
      for (const artifact of await this.ofRepository(held, name, details)) shown.set(artifact.id, artifact)
    }
    return rows.flatMap(({ id }) => shown.get(id) ?? [])
  }

  /** What the indexes among them say of their children. */
  async #children(rows: readonly Row[]): Promise<ReadonlyMap<Digest, ReadonlyMap<Digest, Descriptor>>> {
    const indexes = rows.filter(({ mediaType }) => isIndex(mediaType))
    const contents = await contentsOf(this.#options.db, digestsOf(indexes))
    return new Map(
      indexes.flatMap(({ digest, mediaType }) => {
        const bytes = contents.get(digest)
        return bytes === undefined ? [] : [[digest, new Map(parseManifest(bytes, mediaType).manifests.map((child) => [child.digest, child]))]]
      }),
    )
  }

  /** The signatures of the indexes that these are children of. */
  async #inherited(rows: readonly Row[], repositoryId: number): Promise<ReadonlyMap<Digest, readonly AccessoryRow[]>> {
    const { db } = this.#options
    const parents = await parentsOf(db, repositoryId, digestsOf(rows))
    const signatures = await accessoriesOf(db, repositoryId, [...new Set([...parents.values()].flat())])
    return new Map([...parents].map(([child, above]) => [child, above.flatMap((parent) => (signatures.get(parent) ?? []).filter(isSignature))]))
  }

  async #configs(rows: readonly Row[], digestOf: (row: Row) => Digest | undefined) {
    if (rows.length > CONFIGS_PAGE) return new Map<number, Readonly<Record<string, unknown>>>()
    const { blobs, configs } = this.#options
    const read = await new PQueue({ concurrency: CONFIGS_AT_ONCE }).addAll(
      rows.map((row) => async () => {
        const digest = row.configMediaType === null ? undefined : digestOf(row)
        return [row.id, digest && (await configs.read(blobs, digest))] as const
      }),
    )
    return new Map(read.flatMap(([id, config]) => (config === undefined ? [] : [[id, config]])))
  }
}

const digestsOf = (rows: readonly Row[]): Digest[] => rows.map(({ digest }) => digest)
