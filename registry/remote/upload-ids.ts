/**
 * A foreign upload session is an opaque `Location`. Its id with us is that address, below the registry's own origin, and how many
 * bytes it has: everything that is needed to go on after a restart.
 */
export function encodeUploadId(location: URL, size: number, base: URL, name: string): string | undefined {
  // A registry behind a proxy that ends TLS often says http of itself.
  const own = location.host === base.host && (location.protocol === base.protocol || base.protocol === 'https:')
  if (!own || !belongsTo(location.pathname, name)) return undefined
  const bytes = new TextEncoder().encode(`${size} ${location.pathname}${location.search}`)
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** undefined: this is none of our ids, or one of another repository. */
export function decodeUploadId(id: string, base: URL, name: string): { readonly location: URL; readonly size: number } | undefined {
  let text: string
  try {
    const binary = atob(id.replaceAll('-', '+').replaceAll('_', '/'))
    text = new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)))
  } catch {
    return undefined
  }
  const [, size, path] = text.match(/^(\d{1,15}) (\/.*)$/s) ?? []
  const location = path === undefined ? null : URL.parse(path, base)
  if (location === null || location.origin !== base.origin || !belongsTo(location.pathname, name)) return undefined
  return { location, size: Number(size) }
}

/** An id must not lead to another repository of the same registry, where the same credentials might open more. */
function belongsTo(pathname: string, name: string): boolean {
  const at = pathname.indexOf('/v2/')
  return at < 0 || pathname.startsWith(`/v2/${name}/blobs/uploads/`, at)
}
