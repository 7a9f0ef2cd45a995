import type { Warning } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { HeaderValues } from './exchange.ts'

// Locations are absolute paths without a host (RFC 9110, 10.2.2). A registry behind a proxy cannot know by which scheme and host
// its client came without trusting headers that anybody may send; every client resolves such a Location against the URL it
// asked (docker, containerd, podman and skopeo, crane, oras, regctl, helm do), and credentials then stay with the host they were for.

export function blobLocation(name: RepositoryName, digest: Digest): string {
  return `/v2/${name}/blobs/${digest}`
}

export function manifestLocation(name: RepositoryName, digest: Digest): string {
  return `/v2/${name}/manifests/${digest}`
}

export function uploadLocation(name: RepositoryName, id: string): string {
  return `/v2/${name}/blobs/uploads/${id}`
}

/** distribution-spec, "Warnings": one header, a list of `<code> - "<text>"`. */
export function addWarnings(headers: HeaderValues, warnings: readonly Warning[] | undefined): void {
  if (!warnings || warnings.length === 0) return
  headers.Warning = warnings.map(({ code, text }) => `${code} - "${text.replace(/[^\x20-\x7e]/g, ' ').replace(/["\\]/g, '\\$&')}"`).join(', ')
}

/** The entity tag of content that is named by its digest. */
export function entityTag(digest: Digest): string {
  return `"${digest}"`
}

/** RFC 9110, 13.1.2: whether the client holds this content already. */
export function matches(ifNoneMatch: string | null, digest: Digest): boolean {
  if (ifNoneMatch === null) return false
  return ifNoneMatch === '*' || ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === entityTag(digest))
}

/** RFC 8288: where the next page is. */
export function nextLink(path: string, parameters: Readonly<Record<string, string>>): string {
  return `<${path}?${new URLSearchParams(parameters)}>; rel="next"`
}
