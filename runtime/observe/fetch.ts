import type { Log } from '../../registry/log.ts'
import type { Fetch } from '../../registry/remote/index.ts'
import type { RequestIdentity } from './request-id.ts'

/** The same fetch: what is asked of others carries the name of the request that it is asked for, and is logged under it. */
export function observedFetch(fetcher: Fetch, { identity, log }: { readonly identity: RequestIdentity; readonly log: Log }): Fetch {
  return async (input, init) => {
    const requestId = identity.current
    if (requestId === undefined) return await fetcher(input, init)
    const headers = new Headers(init?.headers)
    if (!headers.has('X-Request-Id')) headers.set('X-Request-Id', requestId)
    const began = performance.now()
    const response = await fetcher(input, { ...init, headers })
    const { host, pathname } = input
    const ms = Math.round(performance.now() - began)
    log.info({ requestId, method: init?.method ?? 'GET', host, path: pathname, status: response.status, ms }, 'asked')
    return response
  }
}
