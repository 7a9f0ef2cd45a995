import { isIndex, type ArtifactKind as Kind } from '../../schema/artifact-kind.ts'
import type { Artifact } from '../../schema/artifacts.ts'
import { ICONS, type Icon } from './icons.ts'

/** What Harbor calls a kind of artifacts, and what there is to see of one. */
export interface ArtifactKind {
  /** In capitals. */
  readonly name: Kind
  readonly icon: Icon
  /** The last parts of the addresses of its additions. */
  readonly additions: readonly string[]
}

const KINDS: Readonly<Record<Kind, Omit<ArtifactKind, 'name'>>> = {
  IMAGE: { icon: ICONS.image, additions: ['build_history'] },
  CHART: { icon: ICONS.chart, additions: ['values.yaml', 'readme.md', 'dependencies'] },
  WASM: { icon: ICONS.wasm, additions: [] },
  UNKNOWN: { icon: ICONS.other, additions: [] },
}

export function kindOf({ kind, mediaType }: Pick<Artifact, 'kind' | 'mediaType'>): ArtifactKind {
  const { icon, additions } = KINDS[kind]
  return { name: kind, icon, additions: isIndex(mediaType) ? [] : additions }
}
