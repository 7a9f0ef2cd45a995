import { isRepositoryName } from '../registry/spec/names.ts'

/**
 * The scope that a request needs for the source of its mount (distribution-spec, "Mounting a blob from another repository"): the challenge
 * asks for it together with the target's, so that clients that only follow challenges get a token for both. undefined: it mounts nothing.
 */
export function mountSource({ method, url }: Pick<Request, 'method' | 'url'>): string | undefined {
  if (method !== 'POST' || !url.includes('from=')) return undefined
  const { pathname, searchParams } = new URL(url)
  const from = searchParams.get('from')
  return pathname.includes('/blobs/uploads') && searchParams.has('mount') && from !== null && isRepositoryName(from)
    ? `repository:${from}:pull`
    : undefined
}
