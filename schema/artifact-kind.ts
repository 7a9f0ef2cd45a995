/** What Harbor tells apart. */
export const ARTIFACT_KINDS = ['IMAGE', 'CHART', 'WASM', 'UNKNOWN'] as const
export type ArtifactKind = (typeof ARTIFACT_KINDS)[number]

/** The media types that a manifest is known by; null: it names none. */
export interface ArtifactTypes {
  readonly mediaType: string
  readonly configMediaType: string | null
  readonly artifactType: string | null
}

export function artifactKind({ mediaType, configMediaType, artifactType }: ArtifactTypes): ArtifactKind {
  const config = configMediaType ?? ''
  if (config.startsWith('application/vnd.cncf.helm.')) return 'CHART'
  if (config.startsWith('application/vnd.wasm.')) return 'WASM'
  // A manifest that names no artifact type is kept under the media type of its config.
  if (artifactType !== null && artifactType !== configMediaType) return 'UNKNOWN'
  if (isIndex(mediaType)) return 'IMAGE'
  return config.includes('container.image') || config === 'application/vnd.oci.image.config.v1+json' ? 'IMAGE' : 'UNKNOWN'
}

export function isIndex(mediaType: string): boolean {
  return mediaType.includes('manifest.list') || mediaType.includes('image.index')
}
