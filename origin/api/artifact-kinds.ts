import type { Artifact } from '../../schema/artifacts.ts'
import { ICONS, type Icon } from './icons.ts'

/** What Harbor calls a kind of artifacts, and what there is to see of one. */
export interface ArtifactKind {
  /** In capitals. */
  readonly name: string
  readonly icon: Icon
  /** The last parts of the addresses of its additions. */
  readonly additions: readonly string[]
}

const IMAGE: ArtifactKind = { name: 'IMAGE', icon: ICONS.image, additions: ['build_history'] }
const INDEX: ArtifactKind = { ...IMAGE, additions: [] }
const CHART: ArtifactKind = { name: 'CHART', icon: ICONS.chart, additions: ['values.yaml', 'readme.md', 'dependencies'] }
const WASM: ArtifactKind = { name: 'WASM', icon: ICONS.wasm, additions: [] }
const UNKNOWN: ArtifactKind = { name: 'UNKNOWN', icon: ICONS.other, additions: [] }

export function kindOf({ mediaType, configMediaType, artifactType }: Pick<Artifact, 'mediaType' | 'configMediaType' | 'artifactType'>): ArtifactKind {
  const config = configMediaType ?? ''
  if (config.startsWith('application/vnd.cncf.helm.')) return CHART
  if (config.startsWith('application/vnd.wasm.')) return WASM
  // A manifest that names no artifact type is kept under the media type of its config.
  if (artifactType !== null && artifactType !== configMediaType) return UNKNOWN
  if (isIndex(mediaType)) return INDEX
  return config.includes('container.image') || config === 'application/vnd.oci.image.config.v1+json' ? IMAGE : UNKNOWN
}

export function isIndex(mediaType: string): boolean {
  return mediaType.includes('manifest.list') || mediaType.includes('image.index')
}
