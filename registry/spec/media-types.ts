export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json'
export const OCI_EMPTY = 'application/vnd.oci.empty.v1+json'
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json'
export const HELM_CONFIG = 'application/vnd.cncf.helm.config.v1+json'
export const OCTETS = 'application/octet-stream'

/** What a client of ours says it understands when it asks another registry for a manifest. */
export const MANIFEST_ACCEPT: readonly string[] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST]

/** Layers of these types stay at their vendor's address and may be absent from the registry (image-spec, layer.md). */
export function isNonDistributable(mediaType: string): boolean {
  return mediaType.includes('.nondistributable.') || mediaType.includes('.foreign.diff.')
}

/** Its type without parameters, lower-cased: `Application/JSON; charset=utf-8` becomes `application/json`. */
export function essence(mediaType: string): string {
  return (mediaType.split(';', 1)[0] ?? '').trim().toLowerCase()
}

const RESTRICTED_NAME = '[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}'
const MEDIA_TYPE = new RegExp(`^${RESTRICTED_NAME}/${RESTRICTED_NAME}$`)

/** RFC 6838, 4.2: without parameters, and nothing in it that could not stand in a header. */
export function isMediaType(text: string): boolean {
  return MEDIA_TYPE.test(text)
}
