import type { Page, Slice } from '../spec/pages.ts'
import { readJson } from './bodies.ts'
import type { Client } from './client.ts'
import type { Reply } from './transport.ts'

/**
 * One keyset page of a list that an upstream pages as it likes: some ignore `n` or `last`, some have a `Link` of their own kind.
 * `undefined`: it answered 404.
 */
export async function listPage<T extends string>(
  client: Client,
  options: {
    readonly path: string
    readonly scopes: readonly string[]
    readonly page: Page
    readonly field: string
    readonly accept: (entry: unknown) => entry is T
    readonly what: string
  },
): Promise<Slice<T> | undefined> {
  const { page, scopes } = options
  const query = new URLSearchParams({ n: String(page.limit), ...(page.last !== undefined && { last: page.last }) })
  let url: string | URL = `${options.path}?${query}`
  for (let pages = 1; ; pages++) {
    const reply = await client.send({ method: 'GET', url, scopes, headers: { Accept: 'application/json' }, repeatable: true })
    if (reply.status === 404) {
      await reply.discard()
      return undefined
    }
    if (reply.status !== 200) throw await client.errorOf(reply, options.what)
    const entries = (await readJson(reply, client.transport, client.transport.limits.listBytes))[options.field]
    const after = (Array.isArray(entries) ? entries : []).filter(options.accept).filter((entry) => page.last === undefined || entry > page.last)
    const items = after.sort().slice(0, page.limit)
    const next = nextPage(reply)
    if (items.length > 0 || next === undefined || pages >= client.transport.limits.listPages) {
      return { items, more: after.length > items.length || next !== undefined }
    }
    url = next
  }
}

/** Where `Link: <…>; rel="next"` points (RFC 8288), if that is the registry itself. */
export function nextPage(reply: Reply): URL | undefined {
  const target = reply.headers.get('link')?.match(/<([^<>]{1,4096})>\s*;[^<]*\brel="?next"?/i)?.[1]
  const url = target === undefined ? null : URL.parse(target, reply.url)
  return url !== null && url.host === reply.url.host && reply.direct ? new URL(`${url.pathname}${url.search}`, reply.url) : undefined
}
