// Which resource of the specification, or of ours beside it, a path names. The repository's name has any number of segments, so it is read from the end.

export type Resource =
  | { readonly kind: 'ping' | 'catalog' }
  | { readonly kind: 'tags' | 'start-upload'; readonly name: string }
  | { readonly kind: 'manifest' | 'blob' | 'upload' | 'referrers' | 'chunks'; readonly name: string; readonly key: string }

/**
 * `path` begins with `/v2` and is as it came over the wire: what a name or a separator would need percent-encoding for is not
 * allowed in either, so `..%2f` stays what it is and is refused by the parser of names. Only the last segment is decoded
 * (some clients send `sha256%3A…`). undefined: the specification has nothing there.
 */
export function resourceAt(path: string): Resource | undefined {
  if (path === '/v2/' || path === '/v2') return { kind: 'ping' }
  if (path === '/v2/_catalog') return { kind: 'catalog' }
  const slash = path.lastIndexOf('/')
  const key = path.slice(slash + 1)
  const parent = path.lastIndexOf('/', slash - 1)
  if (parent < 4) return undefined
  const name = path.slice(4, parent)
  switch (path.slice(parent + 1, slash)) {
    case 'manifests':
      return { kind: 'manifest', name, key: decoded(key) }
    case 'blobs':
      return key === 'uploads' ? { kind: 'start-upload', name } : { kind: 'blob', name, key: decoded(key) }
    case 'referrers':
      return { kind: 'referrers', name, key: decoded(key) }
    case 'tags':
      return key === 'list' ? { kind: 'tags', name } : undefined
    case 'uploads': {
      if (!name.endsWith('/blobs')) return undefined
      const repository = name.slice(0, -'/blobs'.length)
      return key === '' ? { kind: 'start-upload', name: repository } : { kind: 'upload', name: repository, key: decoded(key) }
    }
    case 'chunks':
      // Extensions stand behind a component that begins with an underscore, as no repository's does (distribution-spec, extensions).
      return name.endsWith('/_atoll') ? { kind: 'chunks', name: name.slice(0, -'/_atoll'.length), key: decoded(key) } : undefined
    default:
      return undefined
  }
}

/** Once, and only if it is well-formed: anything else is for the parser of references to refuse. */
function decoded(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
