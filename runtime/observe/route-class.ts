export type RouteClass = 'ping' | 'manifest' | 'blob' | 'tags' | 'referrers' | 'upload' | 'catalog' | 'token' | 'mesh' | 'api' | 'other'

/** What kind of request a URL is: few enough for a label. */
export function routeClassOf(url: string): RouteClass {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  if (url.startsWith('/v2/', start)) {
    // What comes last decides: a repository may be called `blobs`.
    const mark = url.indexOf('?', start)
    const path = mark < 0 ? url : url.slice(0, mark)
    if (path.length === start + 4) return 'ping'
    const blobs = path.lastIndexOf('/blobs/')
    const manifests = path.lastIndexOf('/manifests/')
    if (blobs > manifests) return path.startsWith('uploads', blobs + 7) ? 'upload' : 'blob'
    if (manifests > 0) return 'manifest'
    if (path.endsWith('/tags/list')) return 'tags'
    if (path.includes('/referrers/')) return 'referrers'
    return path.endsWith('/_catalog') ? 'catalog' : 'other'
  }
  if (url.startsWith('/service/token', start)) return 'token'
  if (url.startsWith('/api/atoll/v1/mesh/', start)) return 'mesh'
  return url.startsWith('/api/', start) ? 'api' : 'other'
}
